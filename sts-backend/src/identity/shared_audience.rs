//! Audiences that clouds and platforms use for themselves or hand out by default.
//!
//! A token with such an audience was made for somebody else: whoever receives it there could bring it here and be taken
//! for the workload. The audience of a source must be reserved for this service alone.

/// Whole audiences, lower case, without trailing slash.
const NAMES: [(&str, &str); 29] = [
    ("sts.amazonaws.com", "AWS STS"),
    ("https://sts.amazonaws.com", "AWS STS"),
    ("sts.amazonaws.com.cn", "AWS STS in China"),
    ("pods.eks.amazonaws.com", "EKS Pod Identity"),
    ("https://signin.aws.amazon.com/saml", "AWS sign-in"),
    ("api://azureadtokenexchange", "Entra workload identity federation"),
    ("api://azureadtokenexchangeusgov", "Entra workload identity federation"),
    ("api://azureadtokenexchangechina", "Entra workload identity federation"),
    ("https://management.azure.com", "Azure Resource Manager"),
    ("https://management.core.windows.net", "Azure Resource Manager"),
    ("https://graph.microsoft.com", "Microsoft Graph"),
    ("https://graph.windows.net", "Azure AD Graph"),
    ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    ("00000002-0000-0000-c000-000000000000", "Azure AD Graph"),
    ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Azure Resource Manager"),
    ("https://vault.azure.net", "Azure Key Vault"),
    ("https://storage.azure.com", "Azure Storage"),
    ("https://database.windows.net", "Azure SQL"),
    ("https://servicebus.azure.net", "Azure Service Bus"),
    ("https://sts.googleapis.com", "Google STS"),
    ("https://oauth2.googleapis.com/token", "Google OAuth"),
    ("https://iam.googleapis.com", "Google IAM"),
    ("https://iamcredentials.googleapis.com", "Google IAM"),
    ("https://www.googleapis.com/oauth2/v4/token", "Google OAuth"),
    ("https://kubernetes.default.svc", "the Kubernetes API server"),
    ("https://kubernetes.default.svc.cluster.local", "the Kubernetes API server"),
    ("kubernetes", "the Kubernetes API server"),
    ("vault", "HashiCorp Vault's examples"),
    ("sigstore", "Sigstore"),
];

/// Beginnings of audiences, lower case.
const PREFIXES: [(&str, &str); 4] = [
    ("//iam.googleapis.com/", "Google workload identity federation"),
    ("https://iam.googleapis.com/", "Google workload identity federation"),
    ("https://github.com/", "GitHub Actions, by default"),
    ("https://sts.windows.net/", "Entra"),
];

/// Who else uses `audience`, if somebody is known to.
pub fn user_of(audience: &str) -> Option<&'static str> {
    let text = audience.trim().to_ascii_lowercase();
    let whole = text.trim_end_matches('/');
    let by_name = NAMES.iter().find(|(name, _)| *name == whole);
    by_name.or_else(|| PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix))).map(|(_, user)| *user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_of_others_are_known_in_every_spelling() {
        for audience in [
            "sts.amazonaws.com",
            "STS.amazonaws.com",
            "api://AzureADTokenExchange",
            "https://management.azure.com/",
            "https://management.azure.com",
            "https://graph.microsoft.com",
            " https://graph.microsoft.com/ ",
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
            "https://github.com/some-organisation",
            "https://kubernetes.default.svc",
        ] {
            assert!(user_of(audience).is_some(), "{audience}");
        }
    }

    #[test]
    fn an_audience_of_ones_own_is_nobody_elses() {
        for audience in ["https://sts.example.org", "api://3f1c", "https://github.example.org/x", "cloakroom"] {
            assert_eq!(user_of(audience), None, "{audience}");
        }
    }
}
