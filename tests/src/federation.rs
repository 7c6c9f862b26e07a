//! Stand-ins for the clouds that destinations are in, as strict as those are: they believe our STS by what it publishes, keep
//! every credential within its bounds, and refuse in their own words.
//!
//! Each provider has a listener of its own, so that one in trouble troubles no other: see [`platform`] for its switches, counts
//! and record, and [`aws`], [`gcp`], [`azure`] and [`oauth`] for what each of them does. Services are told apart by the names
//! that they have for the world; where our STS asks by an address, by the paths.

pub mod assertion;
pub mod authority;
pub mod aws;
pub mod azure;
pub mod gcp;
pub mod issuer;
pub mod lie;
pub mod oauth;
pub mod platform;
pub mod random;
#[cfg(test)]
mod rehearsal;
pub mod reply;
pub mod seen;
pub mod switches;

use std::net::{Ipv4Addr, SocketAddr};

use crate::{Result, pki::Pki, server::bind};
use aws::account::Account;
use azure::tenant::Tenant;
use gcp::project::Project;
use oauth::Partner;
use platform::Running;
use seen::Seen;
use switches::Switches;

/// All providers of one topology, until dropped.
pub struct Federation {
    pub aws: Running<Account>,
    pub gcp: Running<Project>,
    pub azure: Running<Tenant>,
    pub partner: Running<Partner>,
}

/// What the providers are set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The issuer that they trust.
    pub issuer: String,
    pub aws: aws::Setup,
    pub gcp: gcp::Setup,
    pub azure: azure::Setup,
    /// Whether the partner's servers answer clients alone.
    pub partner_wants_client: bool,
}

impl Setup {
    /// The usual accounts, trusting this issuer.
    pub fn trusting(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            aws: aws::Setup::default(),
            gcp: gcp::Setup::default(),
            azure: azure::Setup::trusting(issuer),
            partner_wants_client: false,
        }
    }
}

impl Federation {
    /// Starts all of them. The name of the issuer's host leads to `sts`.
    pub async fn start(setup: Setup, sts: SocketAddr, pki: &Pki) -> Result<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let issuer = setup.issuer.as_str();
        let account = Account::new(setup.aws, issuer, sts, pki)?;
        let project = Project::new(setup.gcp, issuer, sts, pki)?;
        let tenant = Tenant::new(setup.azure, issuer, sts, pki)?;
        let listener = bind(anywhere).await?;
        let mut partner = Partner::new(issuer, sts, listener.local_addr()?, pki)?;
        if setup.partner_wants_client {
            partner = partner.wanting_clients();
        }
        Ok(Self {
            aws: Running::start(bind(anywhere).await?, account, pki, "aws")?,
            gcp: Running::start(bind(anywhere).await?, project, pki, "gcp")?,
            azure: Running::start(bind(anywhere).await?, tenant, pki, "azure")?,
            partner: Running::start(listener, partner, pki, "partner")?,
        })
    }

    /// Where each of them listens, by the name that it has in configurations: see [`crate::topology::cloud_routes`].
    pub fn addresses(&self) -> [(&'static str, SocketAddr); 4] {
        [
            ("aws-cloud:443", self.aws.address()),
            ("gcp-cloud:443", self.gcp.address()),
            ("azure-cloud:443", self.azure.address()),
            ("partner-cloud:443", self.partner.address()),
        ]
    }

    /// Every call that any of them has seen.
    pub fn seen(&self) -> Vec<Seen> {
        [self.aws.seen(), self.gcp.seen(), self.azure.seen(), self.partner.seen()].concat()
    }

    /// Forgets all calls, and counts from 0 again.
    pub fn forget(&self) {
        self.aws.forget();
        self.gcp.forget();
        self.azure.forget();
        self.partner.forget();
    }

    /// The switches of all of them.
    pub fn switches(&self) -> [&Switches; 4] {
        [self.aws.switches(), self.gcp.switches(), self.azure.switches(), self.partner.switches()]
    }
}
