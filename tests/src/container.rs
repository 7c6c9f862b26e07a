//! What only the containers need: keys handed out to each party apart, and a workload that runs by itself.

mod keys;
pub mod workload;

use std::path::PathBuf;

use clap::Subcommand;

use crate::{Result, client::Client, clouds::cloud::Cloud, stand_in::end_asked_for};
use workload::Workload;

/// What a container of the compose topology can be or do.
#[derive(Debug, Subcommand)]
pub enum Container {
    /// Makes everybody's keys and puts each party's own into FOLDER/PARTY. Then stays: a folder in memory lives only while a
    /// container that mounts it runs.
    Keys { folder: PathBuf },
    /// A workload that keeps its native tokens fresh and calls the services in the other clouds.
    Workload {
        #[command(flatten)]
        workload: Workload,
        /// Seconds between one round of calls and the next.
        #[arg(long, default_value_t = 30)]
        every: u64,
    },
    /// One call of a workload through its edge; prints the answer. Ends with 0 if it is 2xx.
    Call {
        #[command(flatten)]
        workload: Workload,
        #[arg(long, value_parser = known_cloud)]
        cloud: Cloud,
        /// Take a fresh native token first.
        #[arg(long)]
        fresh: bool,
        path: String,
    },
    /// Prints what a URL answers. Ends with 0 if it is 2xx.
    Get {
        url: String,
        /// The CA to trust for https.
        #[arg(long)]
        ca: Option<PathBuf>,
    },
}

impl Container {
    /// Does what was asked; what serves runs until told to end.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Keys { folder } => {
                keys::hand_out(&folder)?;
                end_asked_for().await
            }
            Self::Workload { workload, every } => {
                tokio::select! {
                    ended = workload.run(std::time::Duration::from_secs(every)) => ended,
                    asked = end_asked_for() => asked,
                }
            }
            Self::Call { workload, cloud, fresh, path } => {
                if fresh {
                    workload.take_native(cloud).await?;
                }
                let answer = workload.call(cloud, &path).await?;
                println!("{}", answer.text());
                if answer.status.is_success() { Ok(()) } else { Err(format!("{path}: {}", answer.status).into()) }
            }
            Self::Get { url, ca } => {
                let answer = Client::trusting(ca.as_deref())?.get(&url, &[]).await?;
                println!("{}", answer.text());
                if answer.status.is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.status).into()) }
            }
        }
    }
}

fn known_cloud(name: &str) -> Result<Cloud> {
    let names: Vec<_> = Cloud::ALL.iter().map(|cloud| cloud.name()).collect();
    Cloud::named(name).ok_or_else(|| format!("`{name}` is no cloud; expected one of {}", names.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_arguments_contradict_nothing() {
        #[derive(Parser)]
        struct Arguments {
            #[command(subcommand)]
            _container: Container,
        }
        Arguments::command().debug_assert();
    }
}
