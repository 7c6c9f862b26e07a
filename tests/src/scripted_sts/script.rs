//! What the scripted STS is to do.

use std::time::Duration;

use token::reason::Reason;

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub answer: Answer,
    /// Passes between a call and its answer.
    pub delay: Duration,
    /// Life of the tokens, from the answer on.
    pub life_seconds: u64,
    /// Workloads whose name begins so are refused with this reason, whatever the others get.
    pub refused: Option<(&'static str, Reason)>,
}

/// How a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A token nobody has had before.
    Grant,
    /// The token that was given for this key before, with what is left of its life; another once that is under a second.
    SameToken,
    /// 503, in the words of a load balancer.
    Unavailable,
    /// An error of the protocol (RFC 6749, section 5.2) with this reason.
    Refuse(Reason),
    /// 200 and half a JSON text.
    Garbage,
    /// Not at all: the connection ends.
    Close,
    /// Not at all: the connection stays.
    Hang,
}

impl Script {
    /// How a call for this key is answered. Keys begin with the workload's name.
    pub(super) fn answer_for(self, key: &str) -> Answer {
        match self.refused {
            Some((start, reason)) if key.starts_with(start) => Answer::Refuse(reason),
            _ => self.answer,
        }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self { answer: Answer::Grant, delay: Duration::ZERO, life_seconds: 300, refused: None }
    }
}
