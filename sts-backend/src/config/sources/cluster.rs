//! Kubernetes clusters: named by their issuer, or by what their cloud makes it of.

use super::{NAME, https, is_name_byte, server};
use crate::{
    config::{
        checker::Checker,
        raw::{RawPreset, RawTokenReview},
    },
    identity::{Preset, managed},
};

pub(super) fn preset(checker: &mut Checker<'_>, at: &str, raw: RawPreset) -> Option<Preset> {
    match raw {
        RawPreset::Kubernetes { issuer, cluster, token_review } => {
            let at = format!("{at}.kubernetes");
            let issuer = https(checker, format!("{at}.issuer"), issuer);
            finish(checker, &at, "cluster", issuer, cluster, token_review)
        }
        RawPreset::Eks { issuer, region, id, cluster, token_review } => {
            let at = format!("{at}.eks");
            let issuer = eks(checker, &at, issuer, region, id);
            finish(checker, &at, "cluster", issuer, cluster, token_review)
        }
        RawPreset::Gke { project, location, cluster, name, token_review } => {
            let at = format!("{at}.gke");
            let issuer = managed::gke_issuer(&project, &location, &cluster);
            if issuer.is_none() {
                let found = format!("project `{project}`, location `{location}`, cluster `{cluster}`");
                let expected =
                    "names as `gcloud container clusters list` prints them, such as acme-prod, europe-west3 and main";
                checker.wrong(&at, found, expected, "the issuer is made of them: copy them exactly");
            }
            let member = if name.is_some() { "name" } else { "cluster" };
            finish(checker, &at, member, issuer, name.unwrap_or(cluster), token_review)
        }
        RawPreset::Aks { issuer, cluster, token_review } => {
            let at = format!("{at}.aks");
            let fits = managed::is_aks(&issuer);
            if !fits {
                let expected = "`https://REGION.oic.prod-aks.azure.com/TENANT/CLUSTER/`, with the slash at its end";
                let remedy = "copy it from `az aks show --query oidcIssuerProfile.issuerUrl`";
                checker.wrong(format!("{at}.issuer"), format!("`{issuer}`"), expected, remedy);
            }
            finish(checker, &at, "cluster", Some(issuer).filter(|_| fits), cluster, token_review)
        }
        _ => None,
    }
}

fn eks(
    checker: &mut Checker<'_>,
    at: &str,
    issuer: Option<String>,
    region: Option<String>,
    id: Option<String>,
) -> Option<String> {
    let expected = "`https://oidc.eks.REGION.amazonaws.com/id/ID`, where ID has 32 digits and capitals";
    let remedy = "copy it from `aws eks describe-cluster --query cluster.identity.oidc.issuer`";
    match (issuer, region, id) {
        (Some(issuer), None, None) => {
            let fits = managed::is_eks(&issuer);
            if !fits {
                checker.wrong(format!("{at}.issuer"), format!("`{issuer}`"), expected, remedy);
            }
            Some(issuer).filter(|_| fits)
        }
        (None, Some(region), Some(id)) => {
            let issuer = managed::eks_issuer(&region, &id);
            if issuer.is_none() {
                checker.wrong(at, format!("region `{region}` and id `{id}`"), expected, remedy);
            }
            issuer
        }
        _ => {
            checker.wrong(at, "neither", "either `issuer`, or `region` and `id`", remedy);
            None
        }
    }
}

fn finish(
    checker: &mut Checker<'_>,
    at: &str,
    member: &str,
    issuer: Option<String>,
    cluster: String,
    token_review: Option<RawTokenReview>,
) -> Option<Preset> {
    let named = !cluster.is_empty() && cluster.bytes().all(is_name_byte);
    if !named {
        checker.wrong(
            format!("{at}.{member}"),
            format!("`{cluster}`"),
            NAME,
            "it is the second part of `spiffe://TRUST_DOMAIN/k8s/CLUSTER/NAMESPACE/SERVICE_ACCOUNT`",
        );
    }
    let token_review = match token_review {
        Some(raw) => Some(server::token_review(checker, &format!("{at}.token_review"), raw)?),
        None => None,
    };
    Some(Preset::Kubernetes { issuer: issuer.filter(|_| named)?, cluster, token_review })
}
