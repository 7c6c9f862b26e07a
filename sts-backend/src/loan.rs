//! The loan: what a grant allows of a provider's credential, and the credential that was lent for it.
//!
//! ```text
//! Grant -> Loan -> Borrowed -> Issued
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use token::{claims::Scope, constraint::Constraint, token_type::TokenType};

use crate::{
    federation::{
        kept::Kept,
        order::Order,
        provider::{Lent, Wish},
        providers::Providers,
        shelf::Key,
        shortfall::Shortfall,
        way::Way,
    },
    mint::Terms,
    permissions,
    policy::Grant,
    refusal::Refusal,
    request::Asked,
};

/// The shortest life that is ordered of a provider, in seconds. A credential is lent for less than it lives, and an order costs
/// its provider up to three calls.
const SHORTEST_ORDER: u64 = 300;

/// How long a proxy's request waits for a provider. Proxies wait 750 ms for us unless they are told otherwise, and must not take
/// a provider in trouble for a service in trouble.
const PATIENCE_OF_PROXIES: Duration = Duration::from_millis(500);

/// The same for a caller that asks for itself: an SDK waits for longer, and takes a no for the end.
const PATIENCE_OF_CALLERS: Duration = Duration::from_secs(5);

/// Whose credential a destination takes in place of a token of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lender {
    /// The provider's name.
    pub provider: String,
    /// How it opens the destination.
    pub way: Arc<Way>,
}

/// What a grant allows of a provider's credential. Made by [`Loan::of`] alone.
#[derive(Debug)]
pub struct Loan {
    lender: Lender,
    order: Order,
    terms: Lending,
    patience: Duration,
}

/// What a loan is made to.
#[derive(Debug)]
struct Lending {
    kind: TokenType,
    life: u64,
    now: u64,
    constraints: Vec<Constraint>,
    policy: String,
    policy_reason: Option<String>,
}

/// A credential that was lent for one grant. Made by [`Loan::take`] alone.
#[derive(Debug)]
pub struct Borrowed {
    lent: Lent,
    provider: String,
    scope: Scope,
    terms: Lending,
    life: u64,
}

impl Loan {
    /// What `grant` allows at `now` of what its destination's provider gives; nothing, where the destination takes a token of
    /// our own.
    pub fn of(grant: &Grant<'_>, asked: &Asked, terms: &Terms, now: u64) -> Result<Option<Self>, Refusal> {
        let Some(lender) = &grant.target().lender else { return Ok(None) };
        let kind = asked.kind_among(lender.way.types())?;
        let (_, life) = terms.lives(grant, now)?;
        let order = Order {
            subject: grant.subject().name().clone(),
            target: grant.target().name.clone(),
            permissions: permissions::lent(grant)?,
            life: grant.target().max_life.max(SHORTEST_ORDER),
        };
        let lending = Lending {
            kind,
            life,
            now,
            constraints: grant.constraints().to_vec(),
            policy: grant.policy().to_owned(),
            policy_reason: grant.policy_reason().map(str::to_owned),
        };
        let patience = if grant.actor().proxy().is_some() { PATIENCE_OF_PROXIES } else { PATIENCE_OF_CALLERS };
        Ok(Some(Self { lender: lender.clone(), order, terms: lending, patience }))
    }

    /// Has the credential. `received` is when the request came: what was spent of the caller's patience is gone. `no_cache`:
    /// its sender wants none that was lent before.
    pub async fn take(self, providers: &Providers, no_cache: bool, received: Instant) -> Result<Borrowed, Refusal> {
        let Self { lender: Lender { provider, way }, order, terms, patience } = self;
        let scope = order.permissions.clone();
        let wish = Wish { life: terms.life, no_cache, until: received + patience, now: terms.now };
        let asked = Instant::now();
        let lent = providers.lend(&provider, Key { way, order }, &wish).await;
        let lent = lent.map_err(|shortfall| shortfall.refusal(&provider))?;
        // The time until now is no part of the loan: it must not reach past the end of the workload's own token.
        let waited = asked.elapsed().as_secs();
        let terms = Lending { life: terms.life.saturating_sub(waited), now: terms.now.saturating_add(waited), ..terms };
        match terms.life.min(lent.kept().left(terms.now)) {
            0 => Err(Shortfall::UnderWay.refusal(&provider)),
            life => Ok(Borrowed { lent, provider, scope, terms, life }),
        }
    }
}

impl Borrowed {
    /// The credential.
    pub fn kept(&self) -> &Kept {
        self.lent.kept()
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Whether nobody had it before.
    pub fn is_first(&self) -> bool {
        self.lent.is_first()
    }

    /// The type it is answered as.
    pub fn kind(&self) -> TokenType {
        self.terms.kind
    }

    /// What it opens.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// For how many seconds it is lent.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// When the loan ends, in seconds since the epoch.
    pub fn ends_at(&self) -> u64 {
        self.terms.now.saturating_add(self.life)
    }

    /// How many seconds it lives on at its provider.
    pub fn credential_life(&self) -> u64 {
        self.kept().expires_at().saturating_sub(self.terms.now)
    }

    /// What proxies check on every use.
    pub fn constraints(&self) -> &[Constraint] {
        &self.terms.constraints
    }

    /// The `@id` and the `@reason` of the permit.
    pub fn policy(&self) -> (&str, Option<&str>) {
        (&self.terms.policy, self.terms.policy_reason.as_deref())
    }
}
