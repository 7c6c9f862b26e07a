//! The stand-ins as processes of their own, for the demo and for containers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clap::Subcommand;

use crate::{
    Result, client::Client, clouds::Clouds, container::Container, pki::Pki, process::Process, upstream::Upstream, wait,
};

/// What a stand-in process can be.
#[derive(Debug, Subcommand)]
pub enum StandIn {
    /// The clouds: issuers of native tokens, on HTTPS.
    Clouds {
        /// Where to listen.
        #[arg(long, default_value = "0.0.0.0:9443")]
        address: SocketAddr,
        /// A folder with `clouds.crt` and `clouds.key`.
        #[arg(long)]
        pki: PathBuf,
        /// How others reach it; by default by its address.
        #[arg(long)]
        base: Option<String>,
    },
    /// The service: records what arrives.
    Upstream {
        /// Where to listen.
        #[arg(long, default_value = "0.0.0.0:8080")]
        address: SocketAddr,
    },
    /// Makes a CA, everybody's certificates and the STS's encryption key in a folder, unless they are there.
    Pki { folder: PathBuf },
    /// Ends with 0 if a URL answers 2xx.
    Healthcheck {
        url: String,
        /// The CA to trust for https.
        #[arg(long)]
        ca: Option<PathBuf>,
    },
    /// What only the containers need.
    #[command(flatten)]
    Container(Container),
}

impl StandIn {
    /// Does what was asked; servers run until told to end.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Clouds { address, pki, base } => {
                let clouds = Clouds::start(address, &Pki::at(&pki), base).await?;
                println!("listening on {}", clouds.address());
                end_asked_for().await
            }
            Self::Upstream { address } => {
                let upstream = Upstream::start(address).await?;
                println!("listening on {}", upstream.address());
                end_asked_for().await
            }
            Self::Pki { folder } => {
                if !Pki::at(&folder).ca().exists() {
                    Pki::create(&folder)?;
                }
                Ok(())
            }
            Self::Container(container) => container.run().await,
            Self::Healthcheck { url, ca } => {
                let answer = Client::trusting(ca.as_deref())?.get(&url, &[]).await?;
                if answer.status.is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.status).into()) }
            }
        }
    }
}

/// A stand-in that runs as a child, ended when dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    address: SocketAddr,
}

impl Child {
    /// Starts `program ARGUMENTS --address 127.0.0.1:0` and waits until it says where it listens.
    pub async fn start(name: &str, program: &Path, arguments: &[&str], log: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).args(["--address", "127.0.0.1:0"]);
        let process = Process::start(name, command, log)?;
        let what = format!("{name} listens");
        let address = wait::until(&what, Duration::from_secs(20), || async {
            if let Err(ended) = process.expect_running() {
                return Some(Err(ended));
            }
            let log = process.log();
            let address = log.lines().find_map(|line| line.strip_prefix("listening on "))?;
            Some(address.parse().map_err(Into::into))
        });
        let address = address.await??;
        Ok(Self { process, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

pub(crate) async fn end_asked_for() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        outcome = tokio::signal::ctrl_c() => outcome?,
    }
    Ok(())
}
