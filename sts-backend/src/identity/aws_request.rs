//! AWS's signed `GetCallerIdentity` as a proof of identity.
//!
//! The workload signs (SigV4) a request that asks AWS who it is, and gives us the request instead of the answer. Nobody but
//! AWS can check the signature, so we send the request ourselves, and what AWS answers is the identity. It is sent to an
//! address of our own list, made anew of what was understood of it: not a byte of the caller's goes anywhere else.
//!
//! | module | what it knows |
//! |---|---|
//! | [`serialisation`] | how clients write such a request down |
//! | [`signed`] | what it must say, and what it is reduced to |
//! | [`authorization`], [`instant`] | the two headers with a form of their own |
//! | [`host`] | which of AWS's hosts there are |
//! | [`replays`] | which signatures have been used |
//! | [`service`], [`answer`] | asking AWS, and what it says |
//! | [`caller`] | the name in it |

mod answer;
mod authorization;
pub(super) mod caller;
mod host;
mod instant;
pub(super) mod replays;
#[cfg(test)]
pub(super) mod sample;
pub(super) mod serialisation;
pub(super) mod service;
pub(super) mod signed;

use std::{collections::BTreeSet, path::PathBuf};

use http::Uri;

use crate::aws::partition::Partition;

/// Which signed requests are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRequestSettings {
    /// The accounts whose callers are known, as 12 digits each.
    pub accounts: BTreeSet<String>,
    /// The regions whose endpoints a request may be signed for; all of one partition.
    pub regions: BTreeSet<String>,
    /// The unique ids (`AROA...`) of the roles that are known; empty: any role of the accounts.
    pub role_ids: BTreeSet<String>,
    /// Whether IAM users are known too. The account's root and federated users never are.
    pub allow_users: bool,
    /// Whether the header that names us may be outside the signature, as Google's client for Python leaves it.
    pub allow_unsigned_audience: bool,
    /// Where AWS is asked, if not at the endpoint that the request was signed for.
    pub endpoint: Option<EndpointSettings>,
}

/// Another way to AWS's STS: an interface endpoint of a VPC, or a stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Scheme, host and port. A request is signed for the path `/`, so there is no other.
    pub uri: Uri,
    /// The certificate authorities that are believed instead of the system's, as a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether the address may be a loopback, private or link-local one.
    pub allow_private_addresses: bool,
}

impl AwsRequestSettings {
    /// What is wrong with the settings, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.accounts.is_empty() {
            return Err("`accounts` is empty; name the accounts whose roles are to be believed".to_owned());
        }
        self.accounts.iter().try_for_each(|account| super::preset::aws::check_account(account))?;
        self.partition()?;
        if let Some(id) = self.role_ids.iter().find(|id| !caller::is_unique_id(id, caller::ROLE)) {
            return Err(format!("`role_ids` has `{id}`; a role's unique id begins with `AROA` (`aws iam get-role`)"));
        }
        match &self.endpoint {
            Some(endpoint) if !matches!(endpoint.uri.path_and_query().map_or("/", |path| path.as_str()), "" | "/") => {
                Err(format!("`endpoint.uri` is `{}`; requests are signed for the path `/`, leave it out", endpoint.uri))
            }
            _ => Ok(()),
        }
    }

    /// The one partition of all regions.
    pub fn partition(&self) -> Result<Partition, String> {
        let mut partitions = Vec::new();
        for region in &self.regions {
            let partition = Partition::of_region(region).ok_or_else(|| {
                format!("`regions` has `{region}`, which is no region of AWS, China or GovCloud; as `eu-central-1`")
            })?;
            partitions.push(partition);
        }
        match partitions.as_slice() {
            [] => Err("`regions` is empty; name those whose STS endpoints workloads sign for".to_owned()),
            [first, others @ ..] if others.iter().all(|other| other == first) => Ok(*first),
            _ => Err("`regions` has regions of different partitions; make a source for each".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
