//! The context of one request.

use std::{rc::Rc, sync::Arc};

use filter_core::{
    cache::Issued,
    config::ExchangeRoute,
    credential,
    flow::{Outcome, Refused, Verdict},
    key::{Key, Subject},
    refusal::Refusal,
    request,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, Status},
};
use token::reason::Reason;

use crate::{
    host,
    worker::{self, Worker},
};

/// One request.
pub struct Stream {
    id: u32,
    worker: Option<Rc<Worker>>,
    state: State,
}

enum State {
    /// Nothing decided, or `untouched`.
    Plain,
    /// On an `exchange` route, waiting or on its way.
    Exchange {
        route: Arc<ExchangeRoute>,
        key: Key,
        /// What it went on with, unless it had to wait for it.
        issued: Option<Rc<Issued>>,
    },
    /// Answered here; nothing of it may go on.
    Refused,
}

impl Stream {
    /// The context of request `id`. Without a worker (its configuration was refused) everything is refused.
    pub fn new(id: u32, worker: Option<Rc<Worker>>) -> Self {
        Self { id, worker, state: State::Plain }
    }

    fn on_headers(&mut self, worker: &Rc<Worker>) -> Result<Action, Refused> {
        let broken = |_: Status| unrouted(Refusal::new(Reason::FilterOverloaded).detail("the request cannot be read"));
        let headers = host::request_headers().map_err(broken)?;
        #[cfg(feature = "fault-injection")]
        crate::fault::on_request(&headers);
        let route = worker.route().map_err(broken)?;
        let step = {
            let flow = worker.flow.try_borrow_mut();
            let mut flow = flow.map_err(|_| unrouted(Refusal::new(Reason::FilterOverloaded)))?;
            flow.on_request(self.id, route.as_deref(), &headers, worker.clock.now())
        };
        worker::apply(&step.edits).map_err(broken)?;
        match step.verdict {
            Verdict::Pass => {
                let route = route.unwrap_or_default();
                worker.choice(&route).and_then(|choice| choice.note()).map_err(broken)?;
                worker.count(&String::from_utf8_lossy(&route), Outcome::Untouched);
                Ok(Action::Continue)
            }
            Verdict::Forward(forward) => {
                worker.write(&forward)?;
                self.state = State::Exchange { route: forward.route, key: forward.key, issued: Some(forward.issued) };
                Ok(Action::Continue)
            }
            Verdict::Park(parked) => {
                self.state = State::Exchange { route: parked.route, key: parked.key, issued: None };
                if parked.start {
                    worker.wake_root();
                }
                Ok(Action::Pause)
            }
            Verdict::Refuse(refused) => Err(refused),
        }
    }

    /// Held back while it waits for its credential, and for ever when refused.
    fn action(&self) -> Action {
        match (&self.state, &self.worker) {
            (State::Plain, _) => Action::Continue,
            (State::Exchange { .. }, Some(worker)) if worker.may_go_on(self.id) => Action::Continue,
            _ => Action::Pause,
        }
    }
}

impl Context for Stream {
    fn on_done(&mut self) -> bool {
        if let (State::Exchange { .. }, Some(worker)) = (&self.state, &self.worker) {
            worker.on_stream_end(self.id);
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let Some(worker) = self.worker.clone() else {
            self.state = State::Refused;
            worker::respond(&Refusal::new(Reason::FilterOverloaded).detail("the filter is not configured"));
            return Action::Pause;
        };
        self.on_headers(&worker).unwrap_or_else(|refused| {
            worker.on_stream_end(self.id);
            self.state = State::Refused;
            worker.refuse(&refused);
            Action::Pause
        })
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let (State::Exchange { key, issued, .. }, Some(worker)) = (&self.state, &self.worker)
            && matches!(host::response_status(), Ok(Some(status)) if status == b"401")
        {
            worker.on_unauthorized(self.id, key, issued.as_ref());
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Ok(trailers) = host::request_trailers() else {
            return Action::Pause;
        };
        let removed = match &self.state {
            State::Exchange { route, key, .. } => {
                let Subject::Token(token) = key.subject();
                request::trailer_removals(&trailers, route, Some(token))
            }
            State::Plain | State::Refused => {
                trailers.iter().map(|(name, _)| name.as_str()).filter(|name| credential::is_own(name)).collect()
            }
        };
        if removed.into_iter().try_for_each(host::remove_request_trailer).is_err() {
            return Action::Pause;
        }
        self.action()
    }
}

fn unrouted(refusal: Refusal) -> Refused {
    Refused { route: None, refusal: Rc::new(refusal) }
}
