//! What is sent: the protocol, the routes it is spread over, the tokens.

use std::rc::Rc;

use harness::Result;
use http::Request;
use http_body_util::Empty;
use hyper::body::Bytes;

use crate::{credential::Tokens, routes::Routes, s3};

/// How the workload speaks to the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub http2: bool,
    pub tls: bool,
}

impl Protocol {
    pub const PLAIN: Self = Self { http2: false, tls: false };
    pub const ALL: [Self; 4] = [
        Self::PLAIN,
        Self { http2: true, tls: false },
        Self { http2: false, tls: true },
        Self { http2: true, tls: true },
    ];

    pub fn name(self) -> &'static str {
        match (self.http2, self.tls) {
            (false, false) => "http1",
            (true, false) => "http2",
            (false, true) => "http1_tls",
            (true, true) => "http2_tls",
        }
    }

    pub fn title(self) -> &'static str {
        match (self.http2, self.tls) {
            (false, false) => "HTTP/1.1",
            (true, false) => "HTTP/2",
            (false, true) => "HTTP/1.1 over TLS 1.3",
            (true, true) => "HTTP/2 over TLS 1.3",
        }
    }
}

/// A request, made beforehand.
pub enum Message {
    Http1(Vec<u8>),
    Http2(Request<Empty<Bytes>>),
}

/// How the workload says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With its token in `authorization`.
    Bearer,
    /// As [`s3`] has it, over HTTP/1.1.
    S3,
}

/// All that Envoys which are compared have in common: what arrives at them, and by which routes it leaves.
pub struct Traffic {
    pub protocol: Protocol,
    pub form: Form,
    pub routes: Routes,
    pub tokens: Rc<Tokens>,
    /// One per token.
    pub messages: Vec<Message>,
}

impl Traffic {
    /// One request per token, spread evenly over the routes.
    pub fn new(protocol: Protocol, routes: Routes, tokens: &Rc<Tokens>) -> Result<Rc<Self>> {
        let count = tokens.native.len();
        let messages = tokens.native.iter().enumerate().map(|(number, token)| {
            let route = number * routes.count / count;
            message(protocol, &routes.host(route), &routes.path(route, number), token)
        });
        let messages = messages.collect::<Result<_>>()?;
        Ok(Rc::new(Self { protocol, form: Form::Bearer, routes, tokens: Rc::clone(tokens), messages }))
    }

    /// One call to S3 per token.
    pub fn s3(tokens: &Rc<Tokens>) -> Rc<Self> {
        let routes = Routes::ONE;
        let message = |(number, token): (usize, &String)| {
            let mut text = format!("GET {} HTTP/1.1\r\nhost: {}\r\n", routes.path(0, number), routes.host(0));
            text.push_str("user-agent: bench\r\naccept: */*\r\nx-amz-checksum-mode: ENABLED\r\n");
            s3::headers(token).iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
            text.push_str("\r\n");
            Message::Http1(text.into_bytes())
        };
        let messages = tokens.native.iter().enumerate().map(message).collect();
        Rc::new(Self { protocol: Protocol::PLAIN, form: Form::S3, routes, tokens: Rc::clone(tokens), messages })
    }
}

fn message(protocol: Protocol, host: &str, path: &str, token: &str) -> Result<Message> {
    if !protocol.http2 {
        let text = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\naccept: */*\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        return Ok(Message::Http1(text.into_bytes()));
    }
    let scheme = if protocol.tls { "https" } else { "http" };
    let request = Request::get(format!("{scheme}://{host}{path}"))
        .header("user-agent", "bench")
        .header("accept", "*/*")
        .header("authorization", format!("Bearer {token}"))
        .body(Empty::new())?;
    Ok(Message::Http2(request))
}
