//! The matrix: each destination is called by a workload of each cloud, as it may be and as it may not.

use std::time::Duration;

use harness::{
    Result,
    client::Answer,
    clouds::cloud::Cloud,
    federation::seen::Seen,
    topology::{Plan, Topology, cloud_routes, cloud_routes::CloudRoute},
    wait,
};
use http::Method;
use sts_backend::audit::leaf::{Leaf, Outcome};

use crate::decisions;

/// Whence workloads call.
pub const SOURCES: [Cloud; 4] = [Cloud::Aws, Cloud::Gcp, Cloud::Azure, Cloud::Kubernetes];

/// A workload that calls, with the token of its own cloud.
pub struct Caller {
    pub cloud: Cloud,
    /// In our trust domain.
    pub name: String,
    authorization: String,
}

/// A request, and what the destination makes of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub method: Method,
    /// At the egress edge.
    pub path: &'static str,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: String,
    pub status: u16,
    /// The cloud's code for a refusal.
    pub code: &'static str,
}

/// A destination of the matrix.
pub struct Destination {
    pub route: CloudRoute,
    /// Where the same credential opens nothing.
    pub astray: Vec<CloudRoute>,
    /// As the stand-in's record has it.
    pub service: &'static str,
    /// The first one is allowed.
    pub attempts: Vec<Attempt>,
    /// The credential that a call came with.
    pub credential: fn(&Seen) -> String,
    /// Panics unless the cloud knows who is behind a call.
    pub check_person: fn(&Seen, &Caller),
    /// Panics unless the provider was asked in the right name for as little as it has to be. All calls of all providers come
    /// in. Gives the name of our assertion about the workload, if there was one.
    pub check_orders: fn(&[Seen], &Caller) -> Option<String>,
    /// By what the cloud's record names the credential of a call; nothing, where it is known by our assertion's name alone.
    pub reference: fn(&Seen) -> Option<String>,
}

impl Caller {
    /// The usual workload of `cloud`.
    pub async fn of(topology: &Topology, cloud: Cloud) -> Result<Self> {
        let authorization = format!("Bearer {}", topology.native(cloud).await?);
        Ok(Self { cloud, name: cloud.spiffe_id(cloud.workload()), authorization })
    }

    /// Makes a call. A first one may be answered before its provider is: it is made again.
    pub async fn call(&self, topology: &Topology, attempt: &Attempt) -> Result<Answer> {
        let mut headers = vec![("authorization", self.authorization.as_str())];
        headers.extend(&attempt.headers);
        let url = topology.url(attempt.path);
        let answer = || async {
            let call = topology.client.request(attempt.method.clone(), &url, &headers, attempt.body.clone()).await;
            call.map_or_else(|error| Some(Err(error)), |answer| (!is_early(&answer)).then_some(Ok(answer)))
        };
        wait::until("the provider was asked", Duration::from_secs(10), answer).await?
    }

    /// Makes a call that the destination answers as it has to, and returns what its service has seen of it.
    pub async fn attempt(&self, topology: &Topology, attempt: &Attempt, service: &str) -> Result<(Answer, Seen)> {
        // Our STS itself asks storage accounts for keys.
        let is_ours = |seen: &Seen| seen.operation == "userdelegationkey";
        let of_service = || {
            let seen = seen_by(topology.federation()?.seen(), service);
            Ok::<_, harness::Error>(seen.into_iter().filter(|seen| !is_ours(seen)).collect::<Vec<_>>())
        };
        let before = of_service()?.len();
        let answer = self.call(topology, attempt).await?;
        let Attempt { method, path, .. } = attempt;
        let what = format!("{method} {path} by {}: {}: {}", self.name, answer.status, answer.text());
        assert_eq!(answer.status, attempt.status, "{what}");
        let mut calls = of_service()?.split_off(before);
        assert_eq!(calls.len(), 1, "calls of {service} for {what}");
        let seen = calls.remove(0);
        assert_eq!((seen.status, seen.code.as_str()), (attempt.status, attempt.code), "{what}");
        Ok((answer, seen))
    }
}

/// Whether nothing was decided, because the provider or the STS took longer than the proxy waits.
fn is_early(answer: &Answer) -> bool {
    let reasons = ["provider_unavailable", "sts_timeout", "sts_unavailable"];
    answer.status == 503 && reasons.contains(&answer.header("x-cloakroom-reason"))
}

/// The calls of one service.
pub fn seen_by(seen: Vec<Seen>, service: &str) -> Vec<Seen> {
    seen.into_iter().filter(|seen| seen.service == service).collect()
}

impl Attempt {
    /// A read that is allowed.
    pub fn get(path: &'static str) -> Self {
        Self { method: Method::GET, path, headers: Vec::new(), body: String::new(), status: 200, code: "" }
    }

    /// Anything with a body that is allowed.
    pub fn send(method: Method, path: &'static str, headers: &[(&'static str, &'static str)], body: &str) -> Self {
        Self { method, headers: headers.to_vec(), body: body.to_owned(), ..Self::get(path) }
    }

    /// Its end.
    pub fn delete(path: &'static str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// The same, refused.
    #[must_use]
    pub fn refused(mut self, status: u16, code: &'static str) -> Self {
        (self.status, self.code) = (status, code);
        self
    }
}

impl Destination {
    /// Calls it from everywhere, and looks at what everybody has seen.
    pub async fn call_from_everywhere(self) -> Result<()> {
        let topology = Plan::default()
            .clouds(None, cloud_routes::providers(), vec![self.route.clone()])
            .more_cloud_routes(self.astray.clone())
            .start()
            .await?;
        let mut calls = Vec::new();
        for cloud in SOURCES {
            let caller = Caller::of(&topology, cloud).await?;
            let call = self.call_from(&topology, &caller).await?;
            let others = calls.iter().map(|(_, other): &(Caller, Seen)| (self.credential)(other));
            for other in others {
                assert_ne!(other, (self.credential)(&call), "{} has somebody else's credential", caller.name);
            }
            calls.push((caller, call));
        }
        assert_eq!(topology.leaks().await?, Vec::<String>::new());
        self.check_logs(&topology, calls.iter().map(|(_, call)| call))?;
        let orders = topology.federation()?.seen();
        let leaves = decisions::of(&topology).await?;
        for (caller, call) in &calls {
            let assertion = (self.check_orders)(&orders, caller);
            let leaf = self.first_loan(&leaves, caller);
            assert!(leaf.jti.is_some());
            if assertion.is_some() {
                assert_eq!(leaf.jti, assertion, "{}", caller.name);
            }
            // From the cloud's own record a way leads to the workload, and to nobody else.
            let reference = (self.reference)(call);
            assert_eq!(leaf.provider_reference, reference);
            for other in leaves.iter().filter(|other| reference.is_some() && other.provider_reference == reference) {
                assert_eq!(other.subject.as_ref(), Some(&caller.name), "{reference:?}");
            }
        }
        Ok(())
    }

    /// What was lent is as secret as what was shown for it. Names of keys are no secret.
    fn check_logs<'c>(&self, topology: &Topology, calls: impl Iterator<Item = &'c Seen>) -> Result<()> {
        let logs = topology.logs()?.into_iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        let logs: Vec<_> = logs.iter().map(|log| String::from_utf8_lossy(log)).collect();
        assert!(logs.iter().any(|log| log.contains(&self.route.resource)), "no log tells of the calls");
        for call in calls {
            let secret = match call.header("x-amz-security-token") {
                "" => (self.credential)(call).trim_start_matches("Bearer ").to_owned(),
                token => token.to_owned(),
            };
            assert!(secret.len() > 20 && !logs.iter().any(|log| log.contains(&secret)), "a log holds what was lent");
        }
        Ok(())
    }

    async fn call_from(&self, topology: &Topology, caller: &Caller) -> Result<Seen> {
        let mut first: Option<Seen> = None;
        for attempt in &self.attempts {
            let (_, seen) = caller.attempt(topology, attempt, self.service).await?;
            // What is refused is the very credential that opens what is open.
            let allowed = first.get_or_insert_with(|| seen.clone());
            assert_eq!((self.credential)(allowed), (self.credential)(&seen), "{} {}", attempt.method, attempt.path);
            if attempt.status == 200 {
                (self.check_person)(&seen, caller);
            }
        }
        first.ok_or_else(|| "no attempts".into())
    }

    /// The entry of the credential's first loan to `caller`.
    fn first_loan<'l>(&self, leaves: &'l [Leaf], caller: &Caller) -> &'l Leaf {
        let of = |leaf: &&Leaf| leaf.subject.as_ref() == Some(&caller.name) && leaf.outcome == Outcome::Granted;
        let granted: Vec<_> = leaves.iter().filter(of).collect();
        let first: Vec<_> = granted.iter().filter(|leaf| !leaf.reissued).collect();
        assert_eq!(first.len(), 1, "{} had one credential: {granted:?}", caller.name);
        for leaf in &granted {
            assert_eq!(leaf.target.as_ref(), Some(&self.route.resource));
            assert_eq!(leaf.provider.as_ref(), Some(&self.route.provider));
            assert_eq!(leaf.actor.as_deref(), Some("spiffe://cloakroom.test/edge/egress"));
            assert_eq!((&leaf.jti, &leaf.provider_reference), (&first[0].jti, &first[0].provider_reference));
        }
        first[0]
    }
}
