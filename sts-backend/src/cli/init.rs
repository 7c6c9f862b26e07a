//! `cloakroom init`: what has to stand in the destination's cloud for it to believe us, and the lines of our own that match.
//!
//! What is printed goes into other people's tools: Terraform, a shell, YAML, JSON. So every value has a [`form`] that is
//! checked first, and what is left is written by [`tree`] as the language has it, into the holes of a [`template`] that never
//! stand between quotation marks. A test puts arbitrary texts into every hole.

use std::fmt;

use crate::finding::Finding;

mod answers;
mod aws;
mod azure;
mod edge;
mod form;
mod gcp;
mod issuer;
mod options;
mod plan;
mod subjects;
mod template;
mod tree;

use answers::{Answers, Mistake};
use form::{Form, NAME, TRUST_DOMAIN, WORKLOAD};
use issuer::Issuer;
pub use options::Options;
use options::{Destination, Format};
use plan::{Asked, Plan};

/// Why nothing is printed: every mistake.
#[derive(Debug)]
pub struct InitError {
    findings: Vec<Finding>,
    mistakes: Vec<Mistake>,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = self.findings.iter().map(ToString::to_string);
        let mistakes = self.mistakes.iter().map(ToString::to_string);
        f.write_str(&findings.chain(mistakes).collect::<Vec<_>>().join("\n"))
    }
}

/// What `options` ask for, ready to be printed.
///
/// # Errors
/// What is wrong with the configuration or the options, all of it.
pub fn run(options: &Options) -> Result<String, InitError> {
    let issuer = Issuer::of(options).map_err(|findings| InitError { findings, mistakes: Vec::new() })?;
    let mut answers = Answers::default();
    options.refuse_others(&mut answers);
    issuer.check(options.destination, &mut answers);
    let asked = Asked {
        name: answers.said_or_placeholder(&NAME, Some(&options.name)),
        subjects: subjects::named(&mut answers, &options.subject),
        permissions: options.permissions(),
        issuer,
    };
    let plan = match options.destination {
        Destination::Aws => aws::plan(options, &asked, &mut answers),
        Destination::Gcp => gcp::plan(options, &asked, &mut answers),
        Destination::Azure => azure::plan(options, &asked, &mut answers),
    };
    let (asked, plan) =
        answers.conclude((asked, plan)).map_err(|mistakes| InitError { findings: Vec::new(), mistakes })?;
    Ok(printed(options, &asked, &plan))
}

fn printed(options: &Options, asked: &Asked, plan: &Plan) -> String {
    let cloud = options.destination.cloud();
    let terraform = || section(&format!("Terraform for {cloud}"), plan.terraform.as_str(), plan);
    let cli = || section(&format!("Lines for {cloud}'s command line"), plan.cli.as_str(), plan);
    let cloakroom = || {
        let filter = plan.edge.filter_route(asked);
        let envoy = plan.edge.envoy(asked);
        [
            section("cloakroom.yaml, members to add", plan.configuration.as_str(), plan),
            section("The filter's configuration, a route to add", filter.as_str(), plan),
            section("Envoy's bootstrap, a route and a cluster to add", envoy.as_str(), plan),
        ]
        .join("\n")
    };
    match options.format {
        Format::Terraform => terraform(),
        Format::Cli => cli(),
        Format::Cloakroom => cloakroom(),
        Format::All => [terraform(), cli(), cloakroom()].join("\n"),
    }
}

/// A heading, what is still to be filled in, and the text.
fn section(title: &str, text: &str, plan: &Plan) -> String {
    let everywhere: [&Form; 2] = [&TRUST_DOMAIN, &WORKLOAD];
    let missing: String = everywhere
        .into_iter()
        .chain(plan.forms.iter().copied())
        .filter(|form| mentions(text, form.placeholder))
        .map(|form| format!("# Still to fill in: {} ({}): {}.\n", form.placeholder, form.option, form.what))
        .collect();
    format!("# --- {title}\n{missing}{text}")
}

/// Whether `placeholder` stands in `text`, and not only as the beginning of a longer one.
fn mentions(text: &str, placeholder: &str) -> bool {
    text.match_indices(placeholder).any(|(at, _)| {
        let next = text.get(at + placeholder.len()..).and_then(|rest| rest.chars().next());
        !next.is_some_and(|next| next.is_ascii_uppercase() || next == '_')
    })
}

#[cfg(test)]
mod tests;
