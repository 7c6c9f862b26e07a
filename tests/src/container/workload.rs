//! The workload: native tokens from its cloud into memory, and from there to the edge and nowhere else.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use crate::{
    Result,
    client::{Answer, Client},
    clouds::cloud::Cloud,
};

/// Where a workload finds its clouds and its edge, and where it keeps its tokens.
#[derive(Clone, Debug, Args)]
// The subcommand of the same name has a group of its own.
#[group(skip)]
pub struct Workload {
    /// Where the clouds give out tokens.
    #[arg(long, default_value = "https://clouds:9443")]
    clouds: String,
    /// The CA of the clouds.
    #[arg(long, default_value = "/etc/cloakroom/ca.crt")]
    ca: PathBuf,
    /// A folder in memory, one file per cloud.
    #[arg(long, default_value = "/run/tokens")]
    tokens: PathBuf,
    /// The edge.
    #[arg(long, default_value = "http://edge:10000")]
    edge: String,
}

/// Who calls what: in each cloud a workload, each calling into another.
pub const CALLS: [(Cloud, &str); 4] = [
    (Cloud::Aws, "/gcp-reports/monthly"),
    (Cloud::Gcp, "/aws-orders/today"),
    (Cloud::Azure, "/gcp-reports/monthly"),
    (Cloud::Kubernetes, "/azure-ledger/entries"),
];

/// The file in the tokens' folder that says: every call has worked.
pub const READY: &str = "ready";

impl Workload {
    /// Calls everything, again and again. A call that fails is told and tried again in the next round.
    pub async fn run(&self, every: Duration) -> Result<()> {
        for round in 0_u64.. {
            let mut all_well = true;
            for (cloud, path) in CALLS {
                let told = match self.renew_and_call(cloud, path, round % ROUNDS_PER_TOKEN == 0).await {
                    Ok(answer) => {
                        all_well &= answer.status.is_success();
                        format!("{} in {} ms  {}", answer.status.as_u16(), answer.elapsed.as_millis(), answer.text())
                    }
                    Err(error) => {
                        all_well = false;
                        error.to_string()
                    }
                };
                println!("{:<10} GET {path:<22} {told}", cloud.name());
            }
            if all_well {
                fs::write(self.tokens.join(READY), "")?;
            }
            // Until all is well there is somebody waiting for it.
            tokio::time::sleep(if all_well { every } else { Duration::from_secs(1) }).await;
        }
        Ok(())
    }

    async fn renew_and_call(&self, cloud: Cloud, path: &str, renew: bool) -> Result<Answer> {
        if renew || !self.file(cloud).exists() {
            self.take_native(cloud).await?;
        }
        self.call(cloud, path).await
    }

    /// Puts a fresh native token into the cloud's file.
    pub async fn take_native(&self, cloud: Cloud) -> Result<()> {
        let url = format!("{}/{}/token", self.clouds, cloud.name());
        let answer = Client::trusting(Some(&self.ca))?.get(&url, &[]).await?;
        if !answer.status.is_success() {
            return Err(format!("{url}: {}: {}", answer.status, answer.text()).into());
        }
        // Readers see the old token or the new one, never half of one.
        let next = self.tokens.join(format!(".{}", cloud.name()));
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?.write_all(&answer.body)?;
        Ok(fs::rename(next, self.file(cloud))?)
    }

    /// `GET path` at the edge with the cloud's token.
    pub async fn call(&self, cloud: Cloud, path: &str) -> Result<Answer> {
        let file = self.file(cloud);
        let token = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let credential = format!("Bearer {}", token.trim());
        Client::trusting(None)?.get(&format!("{}{path}", self.edge), &[("authorization", &credential)]).await
    }

    fn file(&self, cloud: Cloud) -> PathBuf {
        self.tokens.join(cloud.name())
    }
}

/// Native tokens live for an hour; they are renewed well before that.
const ROUNDS_PER_TOKEN: u64 = 20;
