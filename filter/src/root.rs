//! The one context of a worker that lives as long as the configuration. It asks the STS, so that an exchange does not end
//! when the client that was first to need it goes away.

use std::{collections::HashMap, rc::Rc, sync::Arc, time::Duration};

use filter_core::{
    config::Config,
    flow::{Ask, NO_ANSWER, Settled},
    reply::{Answer, MAX_BODY_LENGTH},
};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{ContextType, Status},
};
use token::message::{PROTOCOL_HEADER, PROTOCOL_VERSION};

use crate::{host, stream::Stream, worker::Worker};

/// How often overdue exchanges are given up and gauges are set.
const TICK: Duration = Duration::from_millis(100);

/// A worker's root context.
pub struct Root {
    id: u32,
    worker: Option<Rc<Worker>>,
    /// Envoy's numbers of the calls under way, and which exchange each is for.
    calls: HashMap<u32, u64>,
}

impl Root {
    /// The root context `id`, not configured yet.
    pub fn new(id: u32) -> Self {
        Self { id, worker: None, calls: HashMap::new() }
    }

    fn configure(&mut self, size: usize) -> Result<(), String> {
        let call = |what: &'static str| move |status: Status| format!("{what} failed: {status:?}");
        let json = host::plugin_configuration(size).map_err(call("reading the configuration"))?;
        let config = Arc::new(Config::parse(&json).map_err(|error| format!("configuration refused: {error}"))?);
        let name = host::random_id().map_err(call("the random number generator"))?;
        let queue = host::register_queue(&format!("cloakroom-{name}")).map_err(call("registering a queue"))?;
        host::tick_every(TICK).map_err(call("setting the tick"))?;
        log::info!("cloakroom: listener {} with {} routes configured", config.listener(), config.routes().count());
        self.worker = Some(Rc::new(Worker::new(&config, queue)));
        Ok(())
    }

    /// Asks for every exchange that waits to be asked for.
    fn start_exchanges(&mut self, worker: &Rc<Worker>) {
        loop {
            let now = worker.clock.now();
            let Some(ask) = worker.flow.try_borrow_mut().ok().and_then(|mut flow| flow.next_ask(now)) else { return };
            let id = ask.id;
            match ask_sts(worker, ask) {
                Ok(call) => {
                    self.calls.insert(call, id);
                    #[cfg(feature = "fault-injection")]
                    crate::fault::after_ask();
                }
                Err(status) => {
                    log::warn!("the STS could not be called: {status:?}");
                    let now = worker.clock.now();
                    let settled =
                        worker.flow.try_borrow_mut().ok().and_then(|mut flow| flow.on_answer(id, NO_ANSWER, now));
                    self.settle(worker, settled);
                }
            }
        }
    }

    fn settle(&self, worker: &Worker, settled: impl IntoIterator<Item = Settled>) {
        for settled in settled {
            worker.settle(settled);
        }
        // What follows in this callback is the root's own business again.
        _ = host::speak_of(self.id);
    }
}

fn ask_sts(worker: &Worker, ask: Ask) -> Result<u32, Status> {
    let config = match worker.flow.try_borrow() {
        Ok(flow) => Arc::clone(flow.config()),
        Err(_) => return Err(Status::InternalFailure),
    };
    let sts = config.sts();
    let version = PROTOCOL_VERSION.to_string();
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":path", sts.path.as_str()),
        (":authority", sts.authority.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        (PROTOCOL_HEADER, version.as_str()),
    ];
    if let Some(traceparent) = &ask.traceparent {
        headers.push(("traceparent", traceparent));
    }
    host::call(&sts.cluster, headers, &ask.request.to_form(), Duration::from_millis(sts.timeout_ms))
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, headers: usize, body_size: usize, _: usize) {
        let (Some(id), Some(worker)) = (self.calls.remove(&call), self.worker.clone()) else { return };
        let now = worker.clock.now();
        // Without headers there is no answer: the connection failed.
        let head = if headers == 0 { Err(Status::Empty) } else { host::call_answer_head() };
        let body = host::call_answer_body(body_size, MAX_BODY_LENGTH.saturating_add(1));
        let settled = worker.flow.try_borrow_mut().ok().and_then(|mut flow| match (&head, &body) {
            (Ok((status, decision_id)), Ok(body)) => {
                let answer = Answer { status: *status, decision_id: decision_id.as_deref(), body };
                flow.on_answer(id, answer, now)
            }
            _ => flow.on_answer(id, NO_ANSWER, now),
        });
        self.settle(&worker, settled);
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        host::follow_log_level();
        #[cfg(feature = "fault-injection")]
        crate::fault::announce();
        match self.configure(size) {
            Ok(()) => true,
            Err(error) => {
                log::error!("cloakroom: {error}");
                false
            }
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        // The messages are only knocks at the door; one answer is enough for all of them.
        while host::drain(queue) == Ok(true) {}
        if let Some(worker) = self.worker.clone() {
            self.start_exchanges(&worker);
        }
    }

    fn on_tick(&mut self) {
        host::follow_log_level();
        let Some(worker) = self.worker.clone() else { return };
        self.start_exchanges(&worker);
        let now = worker.clock.now();
        let overdue = worker.flow.try_borrow_mut().map(|mut flow| flow.on_tick(now)).unwrap_or_default();
        if !overdue.is_empty() {
            self.settle(&worker, overdue);
        }
        worker.gauge();
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(id, self.worker.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
