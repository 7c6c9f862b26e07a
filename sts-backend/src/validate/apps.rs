//! Azure's apps and managed identities: whether they soon have no more room for the federated credentials that the providers
//! need. That they have none now does not load.

use std::path::Path;

use super::Validation;
use crate::{config::Config, federation::azure};

/// Tells of the apps of `config`, which stands in `file`, that are nearly full.
pub(super) fn check(file: &Path, config: &Config, validation: &mut Validation) {
    for app in azure::plan(&config.issuer, config.providers.iter().filter_map(|provider| provider.kind.azure())) {
        let warnings = app.problems().into_iter().filter(|problem| problem.is_warning());
        validation.seen.extend(warnings.map(|warning| format!("{}: warning: {warning}", file.display())));
    }
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use crate::{finding, fixture::Fixture};

    /// What is told and found of providers that lead to one app, each with workloads of its own, from one number to before another.
    fn judged(own: &[(usize, usize)], audiences: &[&str]) -> (Vec<String>, String) {
        let provider = |(index, (own, audience)): (usize, (&(usize, usize), &&str))| {
            let names: Vec<_> = (own.0..own.1).map(|number| format!("spiffe://td/w/{number}")).collect();
            format!(
                "  - name: azure-{index}\n    azure:\n      tenant: 5b4c2f7e-9a4e-4a8e-8f2c-1d3a6c7b8e90\n      client_id: \
                 8c0e6c0e-0d6f-4f64-9a7c-5d2f3d1f7a10\n      subject: all\n      audience: {audience}\n      own_credentials: \
                 {names:?}\n"
            )
        };
        let providers: String = std::iter::zip(own, audiences).enumerate().map(provider).collect();
        let fixture = Fixture::new();
        fixture.edit("\ntargets:\n", &format!("\nproviders:\n{providers}targets:\n"));
        let validation = run(Some(&fixture.config()), &[]);
        (validation.seen, finding::lines(&validation.findings))
    }

    #[test]
    fn an_app_is_full_with_twenty_credentials_over_all_providers() {
        const AUDIENCE: &str = "api://AzureADTokenExchange";
        let of = |own: &[(usize, usize)]| judged(own, &vec![AUDIENCE; own.len()]);
        for (own, warned, found) in [
            (&[(0, 14)][..], false, ""),
            (&[(0, 15)], true, ""),
            (&[(0, 19)], true, ""),
            (&[(0, 10), (5, 19)], true, ""),
            (&[(0, 20)], false, "needs 21 federated credentials"),
            (&[(0, 10), (10, 20)], false, "needs 21 federated credentials"),
        ] {
            let (seen, findings) = of(own);
            assert_eq!(seen.iter().any(|line| line.contains(": warning: the app")), warned, "{seen:?}");
            assert_eq!(seen.len(), if found.is_empty() { 1 + usize::from(warned) } else { 0 });
            assert!(findings.contains(found) && findings.is_empty() == found.is_empty(), "{findings}");
        }
    }

    #[test]
    fn one_subject_with_two_audiences_is_a_mistake() {
        let (_, findings) =
            judged(&[(0, 1), (1, 2)], &["api://AzureADTokenExchange", "api://AzureADTokenExchangeChina"]);
        assert!(
            findings.contains("providers: the app or identity") && findings.contains("two different audiences"),
            "{findings}"
        );
    }
}
