//! Which workloads the destination's cloud lets in.

use super::{
    answers::{Answers, shown},
    form::{TRUST_DOMAIN, WORKLOAD},
};
use crate::identity::assertion::pattern::SubjectPattern;

/// A workload, or all below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// The name; where all below it are meant, with a `/` at its end.
    pub text: String,
    /// Whether all names that begin so are meant.
    pub below: bool,
}

/// The subjects that were named, each once.
pub(super) fn named(answers: &mut Answers, said: &[String]) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for text in said {
        match SubjectPattern::parse(text) {
            Ok(pattern) => {
                let text = pattern.to_string();
                let subject = match text.strip_suffix('*') {
                    Some(path) => Subject { text: path.to_owned(), below: true },
                    None => Subject { text, below: false },
                };
                if !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
            Err(problem) => {
                let found = format!("`{}`: {problem}", shown(text));
                answers.wrong(WORKLOAD.option, found, WORKLOAD.expected, "name it as the STS does: docs/policy.md");
            }
        }
    }
    subjects
}

/// What stands for a workload where none was named.
pub(super) fn placeholder(trust_domain: Option<&str>) -> Subject {
    let trust_domain = trust_domain.unwrap_or(TRUST_DOMAIN.placeholder);
    Subject { text: format!("spiffe://{trust_domain}/{}", WORKLOAD.placeholder), below: false }
}

/// Demands that no name is longer than `most` bytes.
pub(super) fn demand_length(answers: &mut Answers, subjects: &[Subject], most: usize, cloud: &str) {
    for subject in subjects.iter().filter(|subject| subject.text.len() > most) {
        let found = format!("`{}`... has {} bytes", shown(&subject.text), subject.text.len());
        let expected = format!("at most {most}, which is what {cloud} takes for a subject");
        answers.wrong(
            WORKLOAD.option,
            found,
            expected,
            "name all below a shorter path, or shorten the workload's name",
        );
    }
}
