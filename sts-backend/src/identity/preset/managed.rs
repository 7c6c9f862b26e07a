//! The issuers of managed Kubernetes clusters, by the form that each cloud gives them.
//!
//! Everybody can have a cluster there, so an issuer is believed as a whole and never by its ending; what does not have the
//! exact form is somebody else's, or a mistake.

use super::entra::is_guid;

/// The issuer of an EKS cluster: `https://oidc.eks.REGION.amazonaws.com/id/ID`, in China with `.cn` at the host's end.
pub fn eks_issuer(region: &str, id: &str) -> Option<String> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let (place, last) = region.rsplit_once('-')?;
    let region_fits = number(last) && place.contains('-') && place.split('-').all(word) && region.len() <= 32;
    let id_fits = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    (region_fits && id_fits).then(|| format!("https://oidc.eks.{region}.amazonaws.com{end}/id/{id}"))
}

/// Whether `issuer` is that of an EKS cluster.
pub fn is_eks(issuer: &str) -> bool {
    let parts = || {
        let (host, id) = issuer.strip_prefix("https://oidc.eks.")?.split_once("/id/")?;
        let (region, _) = host.split_once('.')?;
        eks_issuer(region, id)
    };
    parts().as_deref() == Some(issuer)
}

/// The issuer of a GKE cluster.
pub fn gke_issuer(project: &str, location: &str, cluster: &str) -> Option<String> {
    let fits = |text: &str, length: std::ops::RangeInclusive<usize>| {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let ends = text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('-');
        plain && ends && length.contains(&text.len())
    };
    // A region such as `europe-west3`, or a zone of one such as `europe-west3-a`.
    let placed = fits(location, 5..=32) && location.contains('-') && location.bytes().any(|byte| byte.is_ascii_digit());
    (fits(project, 6..=30) && placed && fits(cluster, 1..=40)).then(|| {
        format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}")
    })
}

/// Whether `issuer` is that of an AKS cluster: `https://REGION.oic.prod-aks.azure.com/TENANT/CLUSTER/` with the slash, or the
/// same at the older `oidc.prod-aks`.
pub fn is_aks(issuer: &str) -> bool {
    let parts = || {
        let (host, path) = issuer.strip_prefix("https://")?.split_once('/')?;
        let (region, domain) = host.split_once('.')?;
        let (tenant, cluster) = path.strip_suffix('/')?.split_once('/')?;
        Some((region, domain, tenant, cluster))
    };
    parts().is_some_and(|(region, domain, tenant, cluster)| {
        !region.is_empty()
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && matches!(domain, "oic.prod-aks.azure.com" | "oidc.prod-aks.azure.com")
            && is_guid(tenant)
            && is_guid(cluster)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

    #[test]
    fn an_eks_issuer_has_exactly_its_form() {
        let issuer = eks_issuer("eu-central-1", ID).unwrap();
        assert_eq!(issuer, format!("https://oidc.eks.eu-central-1.amazonaws.com/id/{ID}"));
        assert!(is_eks(&issuer));
        assert!(is_eks(&format!("https://oidc.eks.us-gov-west-1.amazonaws.com/id/{ID}")));
        assert!(is_eks(&format!("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/{ID}")));
        for look_alike in [
            format!("{issuer}/"),
            format!("{issuer}0"),
            format!("{issuer}?x"),
            issuer.replace("https", "http"),
            issuer.replace("amazonaws.com", "amazonaws.com.evil.test"),
            issuer.replace("amazonaws.com", "amazonaws.co"),
            issuer.replace("amazonaws.com", "amazonaws.com.cn"),
            issuer.replace("amazonaws.com", "amazonaws.com:8443"),
            issuer.replace("oidc.eks", "oidc-eks"),
            issuer.replace("https://", "https://oidc.eks.test/"),
            issuer.replace("https://", "https://u@"),
            issuer.replace("ABCDEF", "abcdef"),
            issuer.replace("eu-central-1", "EU-CENTRAL-1"),
            issuer.replace("eu-central-1", "eu-central"),
            issuer.replace("eu-central-1", "evil.test-1"),
        ] {
            assert!(!is_eks(&look_alike), "{look_alike}");
        }
        assert_eq!(eks_issuer("eu-1", ID), None);
        assert_eq!(eks_issuer("eu-central-1/x", ID), None);
    }

    #[test]
    fn a_gke_issuer_is_made_of_plain_names() {
        assert_eq!(
            gke_issuer("acme-prod", "europe-west3-a", "main").unwrap(),
            "https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west3-a/clusters/main"
        );
        for (project, location, cluster) in [
            ("acme", "europe-west3", "main"),
            ("acme-prod/x", "europe-west3", "main"),
            ("Acme-prod", "europe-west3", "main"),
            ("acme-prod-", "europe-west3", "main"),
            ("acme-prod", "europe", "main"),
            ("acme-prod", "europe-west", "main"),
            ("acme-prod", "europe-west3", ""),
            ("acme-prod", "europe-west3", "main/../other"),
            ("acme-prod", "europe-west3", "1main"),
        ] {
            assert_eq!(gke_issuer(project, location, cluster), None, "{project} {location} {cluster}");
        }
    }

    #[test]
    fn an_aks_issuer_ends_in_a_slash() {
        let (tenant, cluster) = ("5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90", "0f6e3c7a-4b1d-4d0e-8f53-2a9b6c1d7e84");
        let issuer = format!("https://westeurope.oic.prod-aks.azure.com/{tenant}/{cluster}/");
        assert!(is_aks(&issuer));
        assert!(is_aks(&issuer.replace("oic.", "oidc.")));
        for look_alike in [
            issuer.trim_end_matches('/').to_owned(),
            format!("{issuer}/"),
            format!("{issuer}x"),
            issuer.replace("https", "http"),
            issuer.replace("azure.com", "azure.com.evil.test"),
            issuer.replace("oic.", "oic.evil."),
            issuer.replace("westeurope.", ""),
            issuer.replace("westeurope", "west-europe"),
            issuer.replace("westeurope", "u@westeurope"),
            issuer.replace("5b4c2f7e", "5B4C2F7E"),
            issuer.replace(cluster, "prod"),
        ] {
            assert!(!is_aks(&look_alike), "{look_alike}");
        }
    }
}
