//! Conditions of IAM policies (IAM User Guide, "IAM JSON policy elements: Condition operators").

use serde_json::Value;

use super::{
    pattern::{literal, matches},
    policy::{Context, texts},
};

/// One operator on one key. Several values are alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    quantifier: Quantifier,
    operator: Operator,
    /// Whether it also holds where the key is not there.
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// For keys with one value.
    Sole,
    /// Holds for no values at all.
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    NotEquals,
    Like,
    NotLike,
    Bool,
    Null,
}

/// The conditions of a statement. All must hold.
pub fn conditions(value: Option<&Value>) -> Result<Vec<Condition>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (operator, keys) in value.as_object().ok_or("`Condition` is no object")? {
        for (key, values) in keys.as_object().ok_or(format!("`{operator}` is no object"))? {
            all.push(Condition::read(operator, key, values)?);
        }
    }
    Ok(all)
}

impl Condition {
    fn read(name: &str, key: &str, values: &Value) -> Result<Self, String> {
        let (quantifier, operator) = match name.split_once(':') {
            None => (Quantifier::Sole, name),
            Some(("ForAllValues", operator)) => (Quantifier::All, operator),
            Some(("ForAnyValue", operator)) => (Quantifier::Any, operator),
            Some(_) => return Err(format!("an unknown operator `{name}`")),
        };
        let (operator, if_exists) = operator.strip_suffix("IfExists").map_or((operator, false), |name| (name, true));
        let operator = match operator {
            "StringEquals" | "ArnEquals" => Operator::Equals,
            "StringNotEquals" | "ArnNotEquals" => Operator::NotEquals,
            "StringLike" | "ArnLike" => Operator::Like,
            "StringNotLike" | "ArnNotLike" => Operator::NotLike,
            "Bool" => Operator::Bool,
            "Null" => Operator::Null,
            _ => return Err(format!("an unknown operator `{name}`")),
        };
        Ok(Self { quantifier, operator, if_exists, key: key.to_owned(), values: texts(Some(values), key)? })
    }

    /// Whether it holds.
    pub fn holds(&self, context: &Context) -> bool {
        let there = context.values(&self.key);
        if self.operator == Operator::Null {
            return self.values.iter().any(|value| (value == "true") == there.is_none());
        }
        let is_negative = matches!(self.operator, Operator::NotEquals | Operator::NotLike);
        match (there, self.quantifier) {
            (None, Quantifier::All) => true,
            (None, Quantifier::Any) => false,
            // What is not there is unequal to everything.
            (None, Quantifier::Sole) => self.if_exists || is_negative,
            (Some(values), Quantifier::All) => values.iter().all(|value| self.fits(value, context)),
            (Some(values), Quantifier::Any) => values.iter().any(|value| self.fits(value, context)),
            // Several values of a key that should have one.
            (Some(values), Quantifier::Sole) => matches!(values, [value] if self.fits(value, context)),
        }
    }

    fn fits(&self, value: &str, context: &Context) -> bool {
        let equals = |wanted: &String| literal(wanted, context).is_some_and(|wanted| wanted == value);
        match self.operator {
            Operator::Equals => self.values.iter().any(equals),
            Operator::NotEquals => !self.values.iter().any(equals),
            Operator::Like => self.values.iter().any(|wanted| matches(wanted, value, context)),
            Operator::NotLike => !self.values.iter().any(|wanted| matches(wanted, value, context)),
            Operator::Bool => self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(value)),
            Operator::Null => false,
        }
    }
}
