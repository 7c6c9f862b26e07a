//! Projected service-account tokens of one Kubernetes cluster (EKS, GKE, AKS and others).
//!
//! Many clusters share the issuer `https://kubernetes.default.svc.cluster.local`. Which of them is meant is told by the proxy
//! that asks: each such source lists its own (`actors`).

use super::{Identified, plain_segment};
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// The issuer of tokens kept in secrets: no audience, no expiry.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

const NAMESPACE: &str = "kubernetes.io";

/// Refuses settings that cannot name a cluster.
pub fn check(issuer: &str, cluster: &str) -> Result<(), String> {
    if issuer == LEGACY_ISSUER {
        return Err(format!("`{LEGACY_ISSUER}` signs tokens without audience and expiry; use projected tokens"));
    }
    if !name::is_plain(cluster) || matches!(cluster, "." | "..") {
        return Err(format!("`cluster` is `{cluster}`; letters, digits, `.`, `-` and `_` are accepted"));
    }
    Ok(())
}

/// The service account the token speaks of. `sub` and the cluster's own claims must agree.
pub fn identify(cluster: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
    let bound = claims.object(NAMESPACE, "kubernetes.io ").map_err(|refusal| {
        refusal.help("use a projected token (`serviceAccountToken` volume); tokens kept in secrets are not accepted")
    })?;
    let namespace = bound.text("namespace")?;
    let account = bound.object("serviceaccount", "kubernetes.io serviceaccount ")?.text("name")?;
    let subject = format!("system:serviceaccount:{namespace}:{account}");
    claims.expect("sub", &subject)?;
    let namespace = plain_segment(bound, "namespace", namespace)?;
    let account = plain_segment(bound, "serviceaccount name", account)?;
    Ok(Identified {
        segments: vec!["k8s".into(), cluster.into(), namespace.clone(), account.clone()],
        subject,
        attributes: vec![("cluster", cluster.to_owned()), ("namespace", namespace), ("service_account", account)],
    })
}
