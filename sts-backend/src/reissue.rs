//! Handing out a token again, instead of making another that says the same.
//!
//! When a platform rotates its workloads' tokens, every proxy misses for every workload at once, and asks. Each of these
//! requests is verified, decided and recorded like any other; only the signing is spared, where a token is at hand that says
//! what the new one would say ([`Minted::stands_for`]). What is kept has been recorded as released: [`Reissues::keep`] takes
//! nothing else.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    audit::Released,
    issued::{Issued, Origin},
    mint::{Draft, Form, Minted},
};

/// How many dead entries one addition clears away: more than it adds, and never so many that others wait for it.
const CLEARED: usize = 8;

/// Tokens that may be handed out again, in memory only.
pub struct Reissues {
    capacity: usize,
    kept: Mutex<Kept>,
}

/// The entries by what they say, by age and by death. One lock guards them, for some comparisons of short texts at a time.
#[derive(Default)]
struct Kept {
    by_form: HashMap<ByForm, u64>,
    by_age: BTreeMap<u64, Arc<Minted>>,
    by_death: BTreeSet<(u64, u64)>,
    added: u64,
}

/// A token that is found by its form.
struct ByForm(Arc<Minted>);

impl Reissues {
    /// Keeps at most `capacity` tokens; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// The most tokens it keeps.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The tokens it keeps now, dead ones that were not cleared away yet among them.
    pub fn entries(&self) -> usize {
        self.kept().by_age.len()
    }

    /// Whether tokens of this form are kept at all.
    pub fn covers(&self, form: &Form) -> bool {
        self.capacity > 0 && form.is_reissuable()
    }

    /// A token that can stand for what would be made of `draft`.
    pub fn find(&self, draft: &Draft) -> Option<Issued> {
        let minted = self.covers(draft.form()).then(|| self.kept().of(draft.form()))??;
        Issued::again(minted, draft)
    }

    /// Keeps what was released for the first time at `now`, in place of an older one that says the same. Of two that were
    /// made at once the one recorded later stays.
    pub fn keep(&self, released: &Released, now: u64) {
        let issued = released.issued();
        let Some(minted) = issued.minted() else { return };
        if matches!(issued.origin(), Origin::Minted | Origin::Renewed) && self.covers(minted.form()) {
            self.kept().add(Arc::clone(minted), now, self.capacity);
        }
    }

    /// A panic elsewhere cannot leave the indices at odds in a way that matters: what is found is compared in full.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn of(&self, form: &Form) -> Option<Arc<Minted>> {
        self.by_form.get_key_value(form).map(|(found, _)| Arc::clone(&found.0))
    }

    fn add(&mut self, minted: Arc<Minted>, now: u64, capacity: usize) {
        if let Some(age) = self.by_form.get(minted.form()) {
            self.remove(*age);
        }
        for _ in 0..CLEARED {
            match self.by_death.first() {
                Some((death, age)) if *death <= now => self.remove(*age),
                _ => break,
            }
        }
        while self.by_age.len() >= capacity
            && let Some((age, _)) = self.by_age.first_key_value()
        {
            self.remove(*age);
        }
        self.added += 1;
        self.by_death.insert((minted.exp(), self.added));
        self.by_form.insert(ByForm(Arc::clone(&minted)), self.added);
        self.by_age.insert(self.added, minted);
    }

    fn remove(&mut self, age: u64) {
        if let Some(minted) = self.by_age.remove(&age) {
            self.by_death.remove(&(minted.exp(), age));
            self.by_form.remove(minted.form());
        }
    }
}

impl Borrow<Form> for ByForm {
    fn borrow(&self) -> &Form {
        self.0.form()
    }
}

impl Hash for ByForm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.form().hash(state);
    }
}

impl PartialEq for ByForm {
    fn eq(&self, other: &Self) -> bool {
        self.0.form() == other.0.form()
    }
}

impl Eq for ByForm {}

#[cfg(test)]
mod tests;
