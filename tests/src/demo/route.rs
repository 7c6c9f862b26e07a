//! The routes with a token swap, and what each asks a token for.

/// A route of the shipped egress edge.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name, which is also the first part of its paths.
    pub name: &'static str,
    /// The resource it asks a token for: `aud` of what arrives.
    pub resource: &'static str,
}

/// Reports, in GCP.
pub const REPORTS: Route = Route { name: "gcp-reports", resource: "https://reports.gcp.cloakroom.test" };

/// Orders, in AWS.
pub const ORDERS: Route = Route { name: "aws-orders", resource: "https://orders.aws.cloakroom.test" };

/// The ledger, in Azure.
pub const LEDGER: Route = Route { name: "azure-ledger", resource: "https://ledger.azure.cloakroom.test" };

/// All of them.
pub const ALL: [Route; 3] = [REPORTS, ORDERS, LEDGER];
