//! The options of `cloakroom init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::answers::Answers;
use crate::federation::permission::Permission;

/// Whose cloud is to trust us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Destination {
    /// Amazon Web Services: one bucket of S3.
    Aws,
    /// Google Cloud: one bucket of Cloud Storage.
    Gcp,
    /// Microsoft Azure: one container of a storage account.
    Azure,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Terraform for the destination's cloud.
    Terraform,
    /// The same as lines of the cloud's own command line, for a POSIX shell.
    Cli,
    /// The matching lines for cloakroom.yaml, the filter's configuration and Envoy's.
    Cloakroom,
    /// All of it.
    All,
}

/// Which kind of identity trusts us in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AzureIdentity {
    /// An app registration: needs rights in the Entra tenant.
    App,
    /// A user-assigned managed identity: needs rights in the resource group only.
    Managed,
}

/// What differs from one destination to the next.
#[derive(Debug, Args)]
pub struct Options {
    /// Whose cloud is to trust this service.
    #[arg(long, value_enum)]
    pub destination: Destination,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::All)]
    pub format: Format,
    /// The STS's configuration: `issuer` and `trust_domain` are read from it.
    #[arg(short, long, value_name = "FILE", conflicts_with = "issuer", required_unless_present = "issuer")]
    pub config: Option<PathBuf>,
    /// The STS's `issuer`, where there is no configuration yet.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// A workload that may come: `spiffe://TRUST_DOMAIN/PATH`, or all below a path, with `/*` at the end (not in Azure). May
    /// be given more than once.
    #[arg(long, value_name = "NAME")]
    pub subject: Vec<String>,
    /// What roles, pools, apps, and in Cloakroom's configuration provider, target, route and cluster are called.
    #[arg(long, default_value = super::form::NAME.placeholder)]
    pub name: String,
    /// What workloads may do there: `read`, `list`, `write`, `delete`, with commas between.
    #[arg(long, value_parser = permission, value_delimiter = ',', default_values_t = [Permission::Read, Permission::List])]
    pub permissions: Vec<Permission>,
    /// AWS, Google: the bucket.
    #[arg(long)]
    pub bucket: Option<String>,
    /// AWS: the account, 12 digits.
    #[arg(long)]
    pub account: Option<String>,
    /// AWS: the bucket's region.
    #[arg(long)]
    pub region: Option<String>,
    /// Google: the project's id.
    #[arg(long)]
    pub project: Option<String>,
    /// Google: the project's number.
    #[arg(long)]
    pub project_number: Option<String>,
    /// Azure: the Entra tenant's id.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Azure: the storage account's resource group.
    #[arg(long)]
    pub resource_group: Option<String>,
    /// Azure: the storage account.
    #[arg(long)]
    pub storage_account: Option<String>,
    /// Azure: the container.
    #[arg(long)]
    pub container: Option<String>,
    /// Azure: the client id of the app or managed identity, once there is one.
    #[arg(long)]
    pub client_id: Option<String>,
    /// Azure: which kind of identity.
    #[arg(long, value_enum)]
    pub identity: Option<AzureIdentity>,
}

impl Destination {
    /// Its name for people.
    pub fn cloud(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Gcp => "Google Cloud",
            Self::Azure => "Azure",
        }
    }
}

impl Options {
    /// The permissions, each once and in one order.
    pub fn permissions(&self) -> Vec<Permission> {
        let mut permissions = self.permissions.clone();
        permissions.sort_unstable();
        permissions.dedup();
        permissions
    }

    /// An option that the destination knows nothing of is taken for a mistake, not for nothing.
    pub(super) fn refuse_others(&self, answers: &mut Answers) {
        use Destination::{Aws, Azure, Gcp};
        for (option, given, of) in [
            ("--bucket", self.bucket.is_some(), &[Aws, Gcp][..]),
            ("--account", self.account.is_some(), &[Aws]),
            ("--region", self.region.is_some(), &[Aws]),
            ("--project", self.project.is_some(), &[Gcp]),
            ("--project-number", self.project_number.is_some(), &[Gcp]),
            ("--tenant", self.tenant.is_some(), &[Azure]),
            ("--resource-group", self.resource_group.is_some(), &[Azure]),
            ("--storage-account", self.storage_account.is_some(), &[Azure]),
            ("--container", self.container.is_some(), &[Azure]),
            ("--client-id", self.client_id.is_some(), &[Azure]),
            ("--identity", self.identity.is_some(), &[Azure]),
        ] {
            if given && !of.contains(&self.destination) {
                let whose = of.iter().map(|destination| destination.cloud()).collect::<Vec<_>>().join(" and ");
                let found = format!("it is for {whose}");
                answers.wrong(option, found, format!("options for {}", self.destination.cloud()), "leave it out");
            }
        }
    }
}

fn permission(word: &str) -> Result<Permission, String> {
    let known = Permission::ALL.into_iter().find(|permission| permission.word() == word);
    known.ok_or_else(|| format!("`{}` are known", Permission::ALL.map(Permission::word).join("`, `")))
}
