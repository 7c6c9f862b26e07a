//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{finding, logging, serve, validate};

mod init;

/// Cloakroom's security token service: swaps a workload's native token for one that opens one destination.
#[derive(Debug, Parser)]
#[command(name = "cloakroom", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve {
        /// The configuration.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check files without serving: exit 0 if they are fine, 1 with every finding if not.
    Validate {
        /// The configuration, with all files it names.
        #[arg(short, long, value_name = "FILE", required_unless_present = "envoy")]
        config: Option<PathBuf>,
        /// An Envoy bootstrap (YAML or JSON) that runs the filter; may be given more than once.
        #[arg(long, value_name = "FILE")]
        envoy: Vec<PathBuf>,
    },
    /// Print what makes a destination's cloud trust this service, and the matching lines of configuration.
    Init(Box<init::Options>),
    /// Print the JSON Schema of a configuration, for editors and checks.
    Schema {
        /// Whose configuration.
        #[arg(value_enum)]
        of: Described,
    },
}

/// What a JSON Schema can be printed of.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Described {
    /// The filter's own configuration, inside Envoy's.
    Filter,
}

impl Described {
    /// The schema as it is printed, and as it lies in the repository.
    fn schema(self) -> String {
        let schema = match self {
            Self::Filter => filter_core::config::schema(),
        };
        format!("{schema:#}\n")
    }
}

/// Does what the command line asks.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve { config } => {
            logging::hide_panic_messages();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let result =
                runtime.map_err(serve::ServeError::System).and_then(|runtime| runtime.block_on(serve::run(&config)));
            match result {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            }
        }
        Command::Validate { config, envoy } => {
            let validation = validate::run(config.as_deref(), &envoy);
            for line in &validation.seen {
                println!("{line}");
            }
            if validation.findings.is_empty() {
                println!("no findings");
                return ExitCode::SUCCESS;
            }
            eprintln!("{}", finding::lines(&validation.findings));
            ExitCode::FAILURE
        }
        Command::Init(options) => match init::run(&options) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Schema { of } => {
            print!("{}", of.schema());
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_current() {
        let committed = include_str!("../../filter/config.schema.json");
        let hint = "`cargo run --bin cloakroom -- schema filter > filter/config.schema.json` writes it anew";
        assert!(committed == Described::Filter.schema(), "{hint}");
    }
}
