//! Requests as they come, and as they go on.

use std::collections::BTreeMap;

use super::{super::*, Mutation, may_be_said};
use crate::{
    credential,
    inject::{self, Writes},
};

/// Header and trailer names that mean something, here or to others.
pub(super) const NAMES: [&str; 25] = [
    ":method",
    ":path",
    ":authority",
    ":protocol",
    "authorization",
    "x-native",
    "x-token",
    "cookie",
    "upgrade",
    "http2-settings",
    "traceparent",
    "x-cloakroom-subject",
    "x_cloakroom_subject",
    "x-envoy-max-retries",
    "x-old",
    "x-forwarded-for",
    "x-forwarded-client-cert",
    "content-type",
    "content-length",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-meta-a",
    "x-amz-target",
    "",
];

/// What stands in headers that are right.
pub(super) const VALUES: [&[u8]; 20] = [
    b"GET",
    b"CONNECT",
    b"/reports/1?access_token=abc&x=1;sig=%2e",
    b"/",
    b"*",
    b"Bearer native-t",
    b"bearer e30.eyJleHAiOjE4MDAwMDAwNjB9.x",
    b"native-t",
    b"h2c",
    b"websocket",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"a=b; c=d",
    b"By=spiffe://td/hop;Cert=\"one%0A\"",
    "päth".as_bytes(),
    b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    b"/k?X-Amz-Signature=s&list-type=2",
    b"/c/b?comp=list&s%69g=x",
    b"51",
    b"",
];

/// What was sent, by stream.
#[derive(Default)]
pub(super) struct Requests(BTreeMap<u32, Request>);

struct Request {
    /// What is left of its headers.
    left: Vec<(String, Vec<u8>)>,
    /// The number of the tokens that it came with, where all was right.
    token: Option<u32>,
}

impl Requests {
    /// The number of the verdict on a request.
    pub(super) fn send(&mut self, worker: &mut Worker, mutation: &mut Mutation, stream: u32, now: Now) -> usize {
        let mut list = vec![(":method".to_owned(), b"GET".to_vec()), (":path".to_owned(), b"/".to_vec())];
        list.push((":authority".to_owned(), b"a.test".to_vec()));
        // Half of them have what every route wants, and little else.
        let token = Some(mutation.number(2)).filter(|_| mutation.number(2) == 0);
        if let Some(token) = token {
            list.push(("authorization".to_owned(), format!("Bearer native-{token}").into_bytes()));
            list.push(("x-forwarded-client-cert".to_owned(), format!("Cert=c{token}%0A").into_bytes()));
            list.push(("x-native".to_owned(), format!("other-{token}").into_bytes()));
            list.push(("x-amz-security-token".to_owned(), format!("third-{token}").into_bytes()));
        }
        let more = mutation.number(if token.is_some() { 2 } else { 8 });
        list.extend((0..more).map(|_| (mutation.name(&NAMES), mutation.bytes(&VALUES))));
        let list: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let route =
            ["r0", "r1", "r2", "r3", "s3", "blob", "plain", "db", "db", "db", "\u{fe}r", ""][mutation.place(12)];
        let route = Some(route.as_bytes()).filter(|route| !route.is_empty());
        worker.source = String::from_utf8_lossy(&mutation.bytes(&[b"10.0.0.1:80", b"[2001:db8::1]:80"])).into_owned();
        let uri = Some("spiffe://td/hop".to_owned());
        let connection = Peer { uri, ..Peer::from_source(&worker.source) };
        let has_body = mutation.number(3) == 0;
        let arrival = Arrival { stream, route, has_body, connection: &connection };
        let step = worker.flow.on_request(&mut worker.host, arrival, &list, now);
        let removed =
            |name: &str| step.edits.iter().any(|edit| matches!(edit, Edit::Remove(removed) if *removed == name));
        assert!(list.iter().all(|(name, _)| *name != "x-forwarded-client-cert" || removed(name)));
        let left = list.iter().filter(|(name, _)| !removed(name)).map(|(name, value)| {
            let set = step.edits.iter().find_map(|edit| match edit {
                Edit::SetPath(path) if *name == ":path" => Some(path.as_bytes()),
                _ => None,
            });
            ((*name).to_owned(), set.unwrap_or(value).to_vec())
        });
        self.0.insert(stream, Request { left: left.collect(), token });
        match &step.verdict {
            Verdict::Pass { .. } => {
                assert!(list.iter().all(|(name, _)| removed(name) || !credential::is_own(name)));
                0
            }
            Verdict::Forward(forward) => {
                let written = |name: &str| inject::overwrites(&forward.route, name);
                let clean = |name: &str| written(name) || removed(name) || !credential::is_removed(name);
                assert!(list.iter().all(|(name, _)| clean(name)));
                self.may_be_written(stream, forward, &step.edits, now);
                1
            }
            Verdict::Park { .. } | Verdict::Read => {
                assert!(list.iter().all(|(name, _)| removed(name) || !credential::is_removed(name)));
                if matches!(step.verdict, Verdict::Read) { 4 } else { 2 }
            }
            Verdict::Refuse(refused) => {
                may_be_said(refused);
                3
            }
        }
    }

    /// Whether a body that was read has been signed.
    pub(super) fn send_body(&self, worker: &mut Worker, mutation: &mut Mutation, stream: u32, now: Now) -> bool {
        let read = worker.flow.body_read(stream);
        let bytes = mutation.bytes(&VALUES);
        match (worker.flow.on_body(stream, &bytes), read) {
            (Ok(()), read) => {
                assert_eq!(worker.flow.body_read(stream), read.map(|read| read + bytes.len() as u64));
                assert!(read.is_none() || worker.flow.is_waiting(stream));
            }
            (Err(refused), read) => {
                assert!(read.unwrap() + bytes.len() as u64 > 50);
                assert_eq!(refused.refusal.reason(), Some(Reason::BodyTooLarge));
                may_be_said(&refused);
                assert!(!worker.flow.is_waiting(stream), "it is told once");
            }
        }
        if mutation.number(2) == 0 {
            return false;
        }
        match worker.flow.on_body_end(stream, now) {
            Some(Ok(forward)) => {
                assert!(forward.body_sha256.is_some() && !worker.flow.is_waiting(stream));
                self.may_be_written(stream, &forward, &[], now);
                true
            }
            Some(Err(refused)) => {
                may_be_said(&refused);
                false
            }
            None => false,
        }
    }

    /// Nothing that is written can end a header or be anything else than one, and afterwards the native token is nowhere.
    pub(super) fn may_be_written(&self, stream: u32, forward: &Forward, edits: &[Edit<'_>], now: Now) {
        let Request { left, token } = &self.0[&stream];
        let lent: Vec<_> = left.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let writes = match inject::writes(forward, &lent, edits, now) {
            Ok(Writes::One(name, value)) => vec![(name, value.clone())],
            Ok(Writes::Several(writes)) => writes,
            Err(refusal) => panic!("it was let through: {refusal:?}"),
        };
        for (name, value) in &writes {
            let value = value.expose();
            assert!(
                !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()),
                "{value:?}"
            );
            assert!(*name == ":path" || inject::overwrites(&forward.route, name) || *name == "x-amz-content-sha256");
        }
        let written = |name: &str| writes.iter().any(|(other, _)| *other == name);
        let native = match (forward.route.subject_header(), token) {
            (Some("authorization"), Some(token)) => format!("native-{token}"),
            (Some("x-amz-security-token"), Some(token)) => format!("third-{token}"),
            _ => return,
        };
        for (name, value) in lent.iter().filter(|(name, _)| !written(name)) {
            assert!(!credential::holds(value, &native), "{name} has it still");
        }
    }
}
