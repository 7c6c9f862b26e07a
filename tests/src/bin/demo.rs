//! `cargo demo`: the whole path on this machine, with a table of what became of each token.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use harness::{
    Result,
    demo::{self, Options},
    stand_in::StandIn,
};

#[derive(Parser)]
#[command(name = "cargo demo --", about = "A first call across clouds, on this machine.")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The demo starts itself again as its stand-ins.
#[derive(Subcommand)]
#[command(hide = true)]
enum Part {
    #[command(hide = true, subcommand)]
    StandIn(StandIn),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool> {
    match arguments.part {
        Some(Part::StandIn(stand_in)) => stand_in.run().await.map(|()| true),
        None => demo::run(arguments.options, std::env::current_exe()?).await,
    }
}
