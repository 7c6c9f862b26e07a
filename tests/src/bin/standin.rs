//! The stand-ins for what lies outside: clouds and a service, a CA, and a health check for images that have no curl.

use std::process::ExitCode;

use clap::Parser;
use harness::stand_in::StandIn;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    stand_in: StandIn,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().stand_in.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
