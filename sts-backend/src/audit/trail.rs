//! What becomes known of one request on its way, so that a refusal at any step is recorded with all that was known.

use token::token_type::TokenType;

use super::leaf::{CallerKind, Leaf, Outcome, VERSION};
use crate::{
    actor::{Caller, VerifiedActor},
    identity::VerifiedSubject,
    issued::{Issued, Origin},
    refusal::{Refusal, quote},
    request::TokenRequest,
    target::Target,
};

/// What is known so far.
pub(crate) struct Trail {
    leaf: Leaf,
}

impl Trail {
    /// Begins with a caller.
    pub fn begin(decision_id: String, caller: &Caller, policy_version: &str, now: u64) -> Self {
        let caller = match caller {
            Caller::Proxy(_) => CallerKind::Proxy,
            Caller::Direct => CallerKind::Direct,
        };
        let leaf = Leaf {
            actor: None,
            asserted_by: None,
            caller,
            claim: None,
            constraints: Vec::new(),
            credential_exp: None,
            decision_id,
            detail: None,
            exp: None,
            got: None,
            help: None,
            issued_token_sha256: None,
            issuer: None,
            jti: None,
            listener: None,
            outcome: Outcome::Refused,
            policy: None,
            policy_reason: None,
            policy_version: policy_version.to_owned(),
            provider: None,
            provider_reference: None,
            reason: None,
            reissued: false,
            requested_token_type: None,
            route: None,
            scope_asked: None,
            scope_granted: None,
            source: None,
            subject: None,
            subject_token_sha256: None,
            target: None,
            time: now,
            v: VERSION,
            wanted: None,
        };
        Self { leaf }
    }

    /// The request could be read. Everything in it is the caller's word, and its length the caller's choice.
    pub fn request(&mut self, request: &TokenRequest) {
        let asked = request.asked();
        self.leaf.subject_token_sha256 = Some(request.subject_token().fingerprint());
        self.leaf.scope_asked = asked.scope.as_ref().map(quote);
        self.leaf.requested_token_type = Some(TokenType::urn(asked.requested_token_type).to_owned());
        self.leaf.route = asked.context.route.as_ref().map(quote);
        self.leaf.listener = asked.context.listener.as_ref().map(quote);
    }

    /// The caller is known.
    pub fn actor(&mut self, actor: &VerifiedActor) {
        self.leaf.actor = actor.proxy().map(ToString::to_string);
    }

    /// The workload is known.
    pub fn subject(&mut self, subject: &VerifiedSubject) {
        self.leaf.subject = Some(subject.name().to_string());
        self.leaf.source = Some(subject.source().to_owned());
        self.leaf.asserted_by = subject.asserted_by().map(ToString::to_string);
        self.leaf.issuer = Some(subject.issuer().to_owned());
    }

    /// The destination is known.
    pub fn target(&mut self, target: &Target) {
        self.leaf.target = Some(target.resource.clone());
        self.leaf.provider = target.lender.as_ref().map(|lender| lender.provider.clone());
    }

    /// A policy decided.
    pub fn policy(&mut self, policy: Option<String>, policy_reason: Option<String>) {
        self.leaf.policy = policy;
        self.leaf.policy_reason = policy_reason;
    }

    pub(super) fn granted(mut self, issued: &Issued) -> Leaf {
        let (scope, (policy, policy_reason)) = (issued.scope(), issued.policy());
        self.leaf.outcome = Outcome::Granted;
        self.leaf.policy = Some(policy.to_owned());
        self.leaf.policy_reason = policy_reason.map(str::to_owned);
        self.leaf.scope_granted = (!scope.is_empty()).then(|| scope.to_string());
        self.leaf.jti = Some(issued.jti().to_owned());
        self.leaf.exp = Some(issued.exp());
        self.leaf.issued_token_sha256 = Some(issued.fingerprint().to_owned());
        self.leaf.constraints = issued.constraints().to_vec();
        if let Some(borrowed) = issued.borrowed() {
            self.leaf.credential_exp = Some(borrowed.kept().expires_at());
            // Whole: cut, it would be found in no record of the provider's. What is kept has been checked.
            self.leaf.provider_reference = borrowed.kept().provider_reference().map(str::to_owned);
        }
        self.leaf.reissued = issued.origin() == Origin::Kept;
        self.leaf
    }

    pub(super) fn refused(mut self, refusal: &Refusal) -> Leaf {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.leaf.reason = Some(refusal.reason().code().to_owned());
        self.leaf.detail = Some(refusal.detail().to_owned());
        self.leaf.claim = own(refusal.claim_name());
        self.leaf.got = own(refusal.got_value());
        self.leaf.help = own(refusal.advice());
        self.leaf.source = self.leaf.source.or_else(|| own(refusal.source()));
        self.leaf.wanted = own(refusal.wanted_value());
        self.leaf
    }
}
