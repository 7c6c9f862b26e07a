//! A stand-in for AWS, as far as a workload proves its identity with a signed request: the STS, the metadata service that
//! gives out credentials, and the signer that a client has.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /` | the STS: `GetCallerIdentity`, with every signature computed anew |
//! | `PUT /latest/api/token`, `GET /latest/meta-data/...` | the metadata service of instances, version 2 |
//! | `POST /aws-sts/outage?on=true`, `/aws-sts/throttle?on=true` | the STS answers 503, or that it is asked too much, until `?on=false` |
//! | `POST /aws-sts/skew?seconds=N` | the STS's clock is N seconds ahead |
//! | `GET /aws-sts/requests` | how often the STS was asked |

mod instance_metadata;
pub mod principal;
pub mod signature;
pub mod signed_request;
pub mod signer;
pub mod sigv4;
mod sts;

use axum::Router;

/// The region that the stand-in instance is in.
pub const REGION: &str = "eu-central-1";

/// Everything of the table above.
pub fn router() -> Router {
    sts::router().merge(instance_metadata::router())
}
