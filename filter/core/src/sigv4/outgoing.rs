//! A request that Envoy forwards, as its destination will see it: with the host and the path that the router makes of it.
//!
//! Only `host` and `x-amz-*` are signed. What other proxies and Envoy itself add or change on the way breaks no signature, and
//! what means something to AWS is signed, whoever has written it.

use std::borrow::Cow;

use token::{reason::Reason, secret::Secret};

use super::{
    AmzDate, PathRule, Scope, Signable, SigningKeys, authorization, hex,
    payload::{self, Plan, Said},
};
use crate::{config::SigV4, refusal::Refusal, request::Headers};

/// What is signed of a request, and what that depends on.
pub struct Outgoing<'r> {
    method: &'r str,
    authority: &'r [u8],
    /// Path and query, before the router has changed them.
    target: &'r str,
    said: Said<'r>,
    headers: Vec<(&'r str, &'r [u8])>,
}

impl<'r> Outgoing<'r> {
    /// Reads a request's headers, save those that `goes` says do not go on. `target`: path and query, where they are others
    /// than the headers say.
    pub fn read(headers: &Headers<'r>, target: Option<&'r str>, goes: impl Fn(&str) -> bool) -> Self {
        let text = |value: &'r [u8]| str::from_utf8(value).unwrap_or_default();
        let mut outgoing = Self {
            method: "",
            authority: b"",
            target: target.unwrap_or_default(),
            said: Said::Nothing,
            headers: vec![],
        };
        for (name, value) in headers {
            match *name {
                ":method" => outgoing.method = text(value),
                ":authority" => outgoing.authority = value,
                ":path" if target.is_none() => outgoing.target = text(value),
                name if !name.starts_with("x-amz-") || !goes(name) => {}
                payload::HEADER => outgoing.said = outgoing.said.and(value),
                DATE | TOKEN => {}
                name => outgoing.headers.push((name, value)),
            }
        }
        outgoing
    }

    /// What stands for its body, which it may have (`has_body`).
    ///
    /// # Errors
    /// The refusal: no signature would fit it.
    pub fn plan(&self, sigv4: &SigV4, has_body: bool) -> Result<Plan<'r>, Refusal> {
        self.host(sigv4)?;
        self.rewritten(sigv4)?;
        // No such name comes by HTTP (RFC 9110, section 5.6.2); in the list of signed names it could be taken for two.
        if !self.headers.iter().all(|(name, _)| name.bytes().all(is_token_byte)) {
            return Err(refuse("x-amz-*", "header names of HTTP"));
        }
        self.said.plan(sigv4, has_body)
    }

    /// The headers to be written: the signature, and what it is made with. `body` is the digest of the body, if it was read.
    ///
    /// # Errors
    /// The refusal: no signature would fit it, or the host has no clock.
    pub fn sign(
        &self,
        sigv4: &SigV4,
        keys: &SigningKeys,
        body: Option<[u8; 32]>,
        unix_ms: u64,
    ) -> Result<Vec<(&'static str, Secret)>, Refusal> {
        let no_clock = || Refusal::new(Reason::FilterOverloaded).detail("the proxy has no clock to sign by");
        let date = AmzDate::new(unix_ms).ok_or_else(no_clock)?;
        let payload: Cow<'_, str> = match (self.said.plan(sigv4, body.is_some())?, body) {
            (Plan::Known(text), _) => text.into(),
            (Plan::Read, Some(body)) => hex(&body).into(),
            (Plan::Read, None) => return Err(Refusal::new(Reason::FilterOverloaded).detail("the body was not read")),
        };
        let written = sigv4.is_s3() || self.said != Said::Nothing;
        let token = keys.session_token();
        let mut headers = self.headers.clone();
        headers.extend([
            ("host", self.host(sigv4)?),
            (DATE, date.as_str().as_bytes()),
            (TOKEN, token.expose().as_bytes()),
        ]);
        if written {
            headers.push((payload::HEADER, payload.as_bytes()));
        }
        headers.sort_by_key(|(name, _)| *name);
        let target = self.rewritten(sigv4)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path_rule = if sigv4.is_s3() { PathRule::Key } else { PathRule::Segments };
        let signable = Signable { method: self.method, path, query, path_rule, headers: &headers, payload: &payload };
        let scope = Scope { date, region: &sigv4.region, service: &sigv4.service };
        let authorization = authorization(&signable, keys, scope);
        let mut writes = vec![
            (AUTHORIZATION, Secret::new(authorization)),
            (DATE, Secret::new(date.as_str())),
            (TOKEN, token.clone()),
        ];
        if written && self.said.text() != Some(&payload) {
            writes.push((payload::HEADER, Secret::new(payload)));
        }
        Ok(writes)
    }

    /// The host as the destination is told it.
    fn host<'a>(&'a self, sigv4: &'a SigV4) -> Result<&'a [u8], Refusal> {
        match (&sigv4.host, self.authority) {
            (Some(host), _) => Ok(host.as_bytes()),
            (None, b"") => Err(refuse(":authority", "a host to sign for")),
            (None, sent) => Ok(sent),
        }
    }

    /// Path and query as the router makes them.
    fn rewritten(&self, sigv4: &SigV4) -> Result<Cow<'r, str>, Refusal> {
        // No server gets a fragment, and where one was cut off is not known here.
        if self.target.contains('#') {
            return Err(refuse(":path", "a path without a fragment"));
        }
        match &sigv4.prefix_rewrite {
            None => Ok(self.target.into()),
            Some(rewrite) => match self.target.strip_prefix(&rewrite.r#match) {
                Some(rest) => Ok(format!("{}{rest}", rewrite.to).into()),
                None => Err(refuse(":path", &format!("a path that begins with {}", rewrite.r#match))),
            },
        }
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn refuse(claim: &str, wanted: &str) -> Refusal {
    Refusal::new(Reason::RequestRefused).claim(claim).wanted(wanted)
}

/// What is written for every signature, so that what a client has sent in these goes no further.
pub const ALWAYS_WRITTEN: [&str; 3] = [AUTHORIZATION, DATE, TOKEN];

const AUTHORIZATION: &str = "authorization";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
