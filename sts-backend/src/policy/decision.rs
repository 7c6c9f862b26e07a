//! One decision: the questions put to Cedar, and what its answers mean.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request, Response,
    RestrictedExpression,
};
use token::{claims::Scope, reason::Reason};

use super::{
    Denial, Policy,
    annotation::Terms,
    slice::{Slice, Slices},
};
use crate::{actor::VerifiedActor, identity::VerifiedSubject, refusal::Refusal, request::Asked, target::Target};

/// Everything one decision reads.
pub struct Question<'q> {
    pub policy: &'q Policy,
    pub actor: &'q VerifiedActor,
    pub subject: &'q VerifiedSubject,
    pub target: &'q Target,
    pub asked: &'q Asked,
}

/// The question could not be put. Nothing a caller sends leads here; were it otherwise, the answer is no.
struct Unaskable(String);

impl<'q> Question<'q> {
    /// Whether the proxy may ask for this workload. Callers without a certificate ask for themselves.
    pub fn check_pair(&self) -> Result<(), Denial> {
        let Some(proxy) = self.actor.proxy() else { return Ok(()) };
        let principal = uid(&self.policy.names.proxy, proxy.as_str());
        let resource = self.workload();
        let slice = self.policy.act_for.of(&principal);
        let entities = self.entities([Ok(Entity::with_uid(principal.clone())), self.workload_entity()]);
        let answer = entities.and_then(|entities| {
            let request = request(&principal, &self.policy.names.act_for, &resource, Context::empty())?;
            Ok(self.judge(slice, &request, &entities))
        });
        let (response, nearest) = answer.map_err(|error| self.broken(Reason::ActorNotPermitted, &error))?;
        if is_allowed(&response) {
            return Ok(());
        }
        let refusal = Refusal::new(Reason::ActorNotPermitted, "no policy lets this proxy ask for this workload")
            .claim("act_for")
            .got(format!("{proxy} for {}", self.subject.name()))
            .wanted("a permit of `act_for` that names the pair");
        Err(explain(refusal, &response, &nearest, &self.policy.act_for))
    }

    /// The permit that decides, and the scope it grants.
    pub fn choose(&self) -> Result<(&'q Terms, Scope), Denial> {
        let none = Scope::default();
        let asked = self.asked.scope.as_ref();
        let (candidates, denied) = self.candidates(asked.unwrap_or(&none))?;
        let offers = offers(&candidates, asked);
        let mut contradicted = None;
        for (terms, scope) in &offers {
            if *scope == *asked.unwrap_or(&none) {
                return Ok((terms, scope.clone()));
            }
            let (again, denied) = self.candidates(scope)?;
            if again.iter().any(|other| other.id == terms.id) {
                return Ok((terms, scope.clone()));
            }
            contradicted = contradicted.or(denied);
        }
        match (asked, denied.or(contradicted)) {
            (_, Some(denial)) => Err(denial),
            (Some(asked), None) if offers.is_empty() => Err(self.refuse_scope(asked, &candidates)),
            _ => {
                Err(self.broken(Reason::PolicyDenied, &Unaskable("no permit holds for the scope it grants".to_owned())))
            }
        }
    }

    /// The permits that hold for `scope`, in the order of the files; or why none does.
    fn candidates(&self, scope: &Scope) -> Result<(Vec<&'q Terms>, Option<Denial>), Denial> {
        let (action, slices) = match self.actor.proxy() {
            Some(_) => (&self.policy.names.exchange, &self.policy.exchange),
            None => (&self.policy.names.exchange_directly, &self.policy.exchange_directly),
        };
        let (principal, resource) = (self.workload(), uid(&self.policy.names.target, &self.target.resource));
        let slice = slices.of(&resource);
        let answer = self.entities([self.workload_entity(), self.target_entity(&resource)]).and_then(|entities| {
            let request = request(&principal, action, &resource, self.context(scope)?)?;
            Ok(self.judge(slice, &request, &entities))
        });
        let (response, nearest) = answer.map_err(|error| self.broken(Reason::PolicyDenied, &error))?;
        if is_allowed(&response) {
            let mut permits: Vec<_> =
                response.diagnostics().reason().filter_map(|id| slices.terms(id.as_ref())).collect();
            permits.sort_by_key(|terms| terms.order);
            return Ok((permits, None));
        }
        let refusal =
            Refusal::new(Reason::PolicyDenied, "no policy lets this workload have a token for this destination")
                .claim(action.id().escaped())
                .got(format!("{} for {} ({})", self.subject.name(), self.target.resource, self.target.name))
                .wanted("a permit that names the workload and the destination, and whose conditions hold");
        Ok((Vec::new(), Some(explain(refusal, &response, &nearest, slices))))
    }

    /// The answer, and if it is no, the permits that come nearest: to name them takes another evaluation.
    fn judge(&self, slice: &Slice, request: &Request, entities: &Entities) -> (Response, Vec<String>) {
        let response = self.policy.authorizer.is_authorized(request, &slice.all, entities);
        let nearest = if is_allowed(&response) { Vec::new() } else { self.naming(&slice.scopes, request, entities) };
        (response, nearest)
    }

    /// The permits whose scope names the request, whatever their conditions say.
    fn naming(&self, scopes: &PolicySet, request: &Request, entities: &Entities) -> Vec<String> {
        let response = self.policy.authorizer.is_authorized(request, scopes, entities);
        let mut named: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        named.sort_unstable();
        named
    }

    fn refuse_scope(&self, asked: &Scope, candidates: &[&Terms]) -> Denial {
        let granted: Vec<_> = candidates.iter().flat_map(|terms| terms.scope.iter()).collect();
        let wanted = if granted.is_empty() {
            "no scope: the permit grants none".to_owned()
        } else {
            format!("some of: {}", granted.join(" "))
        };
        let refusal = Refusal::new(Reason::ScopeRefused, "policy grants none of the scope asked for")
            .claim("scope")
            .got(asked)
            .wanted(wanted)
            .help("ask for less, or leave `scope` out to get what the permit grants");
        Denial { refusal, policy: candidates.first().map(|terms| terms.id.clone()), policy_reason: None }
    }

    fn broken(&self, reason: Reason, error: &Unaskable) -> Denial {
        tracing::error!(cause = error.0, "a decision could not be made");
        let refusal = Refusal::new(reason, "the decision could not be made, so it is no").claim("policy").got(&error.0);
        Denial { refusal: refusal.wanted("policies that can be evaluated"), policy: None, policy_reason: None }
    }

    fn workload(&self) -> EntityUid {
        uid(&self.policy.names.workload, self.subject.name().as_str())
    }

    fn workload_entity(&self) -> Result<Entity, Unaskable> {
        let fixed = [
            ("source", self.subject.source()),
            ("platform", self.subject.platform().name()),
            ("issuer", self.subject.issuer()),
            ("subject", self.subject.subject()),
        ];
        let optional = self.subject.attributes().iter().map(|(name, value)| (*name, value.as_str()));
        let attributes = fixed.into_iter().chain(optional).map(|(name, value)| (name.to_owned(), text(value)));
        entity(self.workload(), attributes.collect())
    }

    fn target_entity(&self, resource: &EntityUid) -> Result<Entity, Unaskable> {
        entity(resource.clone(), HashMap::from([("name".to_owned(), text(&self.target.name))]))
    }

    fn entities(&self, all: [Result<Entity, Unaskable>; 2]) -> Result<Entities, Unaskable> {
        let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
        Entities::from_entities(all, None).map_err(unaskable)
    }

    fn context(&self, scope: &Scope) -> Result<Context, Unaskable> {
        let asked = self.asked;
        let mut pairs = vec![
            ("scope", RestrictedExpression::new_set(scope.iter().map(text))),
            ("requested_token_type", text(asked.requested_token_type.urn())),
        ];
        pairs.extend(asked.audience.as_deref().map(|audience| ("audience", text(audience))));
        if let Some(proxy) = self.actor.proxy() {
            let proxy = uid(&self.policy.names.proxy, proxy.as_str());
            pairs.push(("actor", RestrictedExpression::new_entity_uid(proxy)));
            pairs.extend(asked.context.route.as_deref().map(|route| ("route", text(route))));
            pairs.extend(asked.context.listener.as_deref().map(|listener| ("listener", text(listener))));
        }
        Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value))).map_err(unaskable)
    }
}

/// Each permit with the scope it would grant: those that cover everything asked for before those that cover some of it.
fn offers<'q>(candidates: &[&'q Terms], asked: Option<&Scope>) -> Vec<(&'q Terms, Scope)> {
    let Some(asked) = asked else {
        return candidates.iter().map(|terms| (*terms, terms.scope.clone())).collect();
    };
    let mut offers: Vec<_> = candidates.iter().map(|terms| (*terms, asked.intersection(&terms.scope))).collect();
    offers.retain(|(_, scope)| !scope.is_empty());
    // The sort is stable: among equals the order of the files holds.
    offers.sort_by_key(|(_, scope)| scope != asked);
    offers
}

/// Whether the answer is yes. An error in a policy means that nobody knows what its author wanted: no.
fn is_allowed(response: &Response) -> bool {
    response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
}

/// Says of a denial which policy forbids it, or which permits come nearest.
fn explain(refusal: Refusal, response: &Response, nearest: &[String], slices: &Slices) -> Denial {
    let denial = |help: String| Denial { refusal: refusal.help(help), policy: None, policy_reason: None };
    if let Some(error) = response.diagnostics().errors().next() {
        return denial(format!("a policy could not be evaluated: {error}"));
    }
    if let Some(forbid) = response.diagnostics().reason().next() {
        let policy_reason = slices.terms(forbid.as_ref()).and_then(|terms| terms.reason.clone());
        let words = policy_reason.as_ref().map_or(String::new(), |words| format!(": {words}"));
        let denial = denial(format!("policy `{forbid}` forbids it{words}"));
        return Denial { policy: Some(forbid.to_string()), policy_reason, ..denial };
    }
    denial(match nearest {
        [] => "no permit names this pair".to_owned(),
        [one] => format!("permit `{one}` names this pair, but its conditions do not hold"),
        many => format!("{} permits name this pair, but no one's conditions hold: {}", many.len(), many.join(", ")),
    })
}

fn request(
    principal: &EntityUid,
    action: &EntityUid,
    resource: &EntityUid,
    context: Context,
) -> Result<Request, Unaskable> {
    Request::new(principal.clone(), action.clone(), resource.clone(), context, None).map_err(unaskable)
}

fn entity(uid: EntityUid, attributes: HashMap<String, RestrictedExpression>) -> Result<Entity, Unaskable> {
    Entity::new(uid, attributes, HashSet::new()).map_err(unaskable)
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn unaskable(error: impl std::fmt::Display) -> Unaskable {
    Unaskable(error.to_string())
}
