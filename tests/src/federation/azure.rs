//! Azure, as a destination is in it: a tenant of Entra with an app that trusts our issuer, and storage accounts.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /TENANT/oauth2/v2.0/token` | Entra |
//! | `POST /?restype=service&comp=userdelegationkey` | a storage account's delegation keys |
//! | `/CONTAINER/BLOB`, `/CONTAINER?restype=container&comp=list` | its blobs |
//!
//! A storage account is named by the host, `ACCOUNT.blob.core.windows.net`, or by the first part of the path.

mod blob;
mod delegation;
mod entra;
mod sas;
pub mod tenant;

use super::{platform::Platform, reply::Reply, seen::Seen, switches::Switches};
use crate::{asked::Asked, federation::reply::wrong};
use tenant::Tenant;

pub use tenant::Setup;

impl Platform for Tenant {
    async fn answer(&self, asked: &Asked, switches: &Switches, seen: &mut Seen, now: i64) -> Reply {
        if asked.method == "POST" && asked.path.ends_with("/oauth2/v2.0/token") {
            seen.service = "entra".to_owned();
            return entra::answer(self, asked, switches, seen, now).await.unwrap_or_else(|wrong| {
                seen.code.clone_from(&wrong.code);
                entra::refusal(&wrong)
            });
        }
        seen.service = "blob".to_owned();
        let query = asked.parameters();
        let answer = match blob::account(asked) {
            None => Err(wrong(400, "InvalidUri", "The requested URI does not represent any resource on the server.")),
            Some((account, _)) if query.get("comp") == Some("userdelegationkey") && asked.method == "POST" => {
                delegation::answer(self, asked, &account, switches, seen, now).await
            }
            Some((account, path)) => {
                switches.count("blob");
                blob::answer(self, asked, &account, &path, seen, now)
            }
        };
        answer.unwrap_or_else(|wrong| {
            seen.code.clone_from(&wrong.code);
            blob::refusal(&wrong)
        })
    }
}

#[cfg(test)]
mod tests;
