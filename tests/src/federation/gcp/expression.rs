//! CEL, as far as conditions of ours use it (Common Expression Language, language definition). What is not known here is no
//! expression; what has no value makes a condition false.

/// An expression that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    Text(String),
    Truth(bool),
    /// `resource.name`
    Variable(String),
    /// `api.getAttribute(NAME, DEFAULT)`
    Attribute(String, String),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Equal(Box<Self>, Box<Self>),
    StartsWith(Box<Self>, Box<Self>),
    EndsWith(Box<Self>, Box<Self>),
}

/// What variables and attributes are worth.
pub trait Facts {
    fn variable(&self, name: &str) -> Option<String>;
    fn attribute(&self, name: &str) -> Option<String>;
}

enum Value {
    Text(String),
    Truth(bool),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// It is none, or has more in it than is known here.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let expression = reader.or()?;
        reader.space();
        if reader.rest.is_empty() { Ok(expression) } else { Err(format!("`{}` is not expected here", reader.rest)) }
    }

    /// Whether it is true.
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        self.truth(facts) == Some(true)
    }

    fn value(&self, facts: &dyn Facts) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::Text(text.clone())),
            Self::Variable(name) => facts.variable(name).map(Value::Text),
            Self::Attribute(name, default) => {
                Some(Value::Text(facts.attribute(name).unwrap_or_else(|| default.clone())))
            }
            _ => self.truth(facts).map(Value::Truth),
        }
    }

    fn text(&self, facts: &dyn Facts) -> Option<String> {
        match self.value(facts)? {
            Value::Text(text) => Some(text),
            Value::Truth(_) => None,
        }
    }

    fn truth(&self, facts: &dyn Facts) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Not(inner) => inner.truth(facts).map(|truth| !truth),
            // CEL's own rule: a side that decides is enough, whatever is wrong with the other.
            Self::Or(one, other) => match (one.truth(facts), other.truth(facts)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (one, other) => Some(one? || other?),
            },
            Self::And(one, other) => match (one.truth(facts), other.truth(facts)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => Some(one? && other?),
            },
            Self::Equal(one, other) => match (one.value(facts)?, other.value(facts)?) {
                (Value::Text(one), Value::Text(other)) => Some(one == other),
                (Value::Truth(one), Value::Truth(other)) => Some(one == other),
                _ => None,
            },
            Self::StartsWith(text, start) => Some(text.text(facts)?.starts_with(&start.text(facts)?)),
            Self::EndsWith(text, end) => Some(text.text(facts)?.ends_with(&end.text(facts)?)),
            Self::Text(_) | Self::Variable(_) | Self::Attribute(..) => None,
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.takes("||") {
            left = Expression::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.comparison()?;
        while self.takes("&&") {
            left = Expression::And(left.into(), self.comparison()?.into());
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.unary()?;
        if self.takes("==") {
            Ok(Expression::Equal(left.into(), self.unary()?.into()))
        } else if self.takes("!=") {
            Ok(Expression::Not(Expression::Equal(left.into(), self.unary()?.into()).into()))
        } else {
            Ok(left)
        }
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.takes("!") {
            return Ok(Expression::Not(self.unary()?.into()));
        }
        let mut operand = if self.takes("(") {
            let inner = self.or()?;
            self.expect(")")?;
            inner
        } else if self.next().is_some_and(|letter| ['\'', '"'].contains(&letter)) {
            Expression::Text(self.literal()?)
        } else {
            self.named()?
        };
        while self.takes(".") {
            let method = self.word()?;
            self.expect("(")?;
            let argument = self.or()?.into();
            self.expect(")")?;
            operand = match method.as_str() {
                "startsWith" => Expression::StartsWith(operand.into(), argument),
                "endsWith" => Expression::EndsWith(operand.into(), argument),
                _ => return Err(format!("`{method}` is no method that is known here")),
            };
        }
        Ok(operand)
    }

    /// A variable, a constant or the one function.
    fn named(&mut self) -> Result<Expression, String> {
        let mut name = self.word()?;
        // A member that is called is a method.
        while let Some(rest) = self.rest.strip_prefix('.') {
            let word = &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())];
            if rest[word.len()..].starts_with('(') && (name.as_str(), word) != ("api", "getAttribute") {
                break;
            }
            name = format!("{name}.{word}");
            self.rest = &rest[word.len()..];
        }
        match name.as_str() {
            "true" | "false" => Ok(Expression::Truth(name == "true")),
            "api.getAttribute" => {
                self.expect("(")?;
                let attribute = self.literal()?;
                self.expect(",")?;
                let default = self.literal()?;
                self.expect(")")?;
                Ok(Expression::Attribute(attribute, default))
            }
            _ => Ok(Expression::Variable(name)),
        }
    }

    fn literal(&mut self) -> Result<String, String> {
        let quote = self.next().filter(|letter| ['\'', '"'].contains(letter)).ok_or("a text in quotes is expected")?;
        let mut text = String::new();
        let mut letters = self.rest[1..].chars();
        loop {
            match letters.next().ok_or("a text without an end")? {
                letter if letter == quote => break,
                '\n' => return Err("a line break in a text".into()),
                '\\' => match letters.next() {
                    Some(letter @ ('\\' | '\'' | '"' | '`')) => text.push(letter),
                    letter => return Err(format!("`\\{}` is no escape that is known here", letter.unwrap_or(' '))),
                },
                letter => text.push(letter),
            }
        }
        self.rest = letters.as_str();
        // Else it would be one in three quotes.
        if self.rest.starts_with(quote) { Err("two texts without anything between them".into()) } else { Ok(text) }
    }

    fn word(&mut self) -> Result<String, String> {
        self.space();
        let end = self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() || word.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Err(format!("a name is expected at `{}`", self.rest));
        }
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn next(&mut self) -> Option<char> {
        self.space();
        self.rest.chars().next()
    }

    fn takes(&mut self, token: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(token);
        // `!` is not the first half of `!=`.
        let rest = rest.filter(|rest| token != "!" || !rest.starts_with('='));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("`{token}` is expected at `{}`", self.rest)) }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listing(&'static str);

    impl Facts for Listing {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "resource.name").then(|| "projects/_/buckets/b/objects/team-a/q3".into())
        }

        fn attribute(&self, name: &str) -> Option<String> {
            (name == "storage.googleapis.com/objectListPrefix" && !self.0.is_empty()).then(|| self.0.into())
        }
    }

    fn holds(text: &str, prefix: &'static str) -> bool {
        Expression::read(text).unwrap().holds(&Listing(prefix))
    }

    #[test]
    fn conditions_of_prefixes_hold_for_their_prefix() {
        let prefix = "resource.name.startsWith('projects/_/buckets/b/objects/team-b/') || \
                      api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team-b/')";
        assert!(!holds(prefix, ""));
        assert!(holds(prefix, "team-b/x"));
        assert!(!holds(prefix, "team-a/"));
        assert!(holds(&prefix.replace("team-b", "team-a"), ""));
    }

    #[test]
    fn values_are_what_they_are() {
        for (text, wanted) in [
            ("true", true),
            ("!true || false", false),
            ("(false || true) && !false", true),
            ("'a' == \"a\" && 'a' != 'b'", true),
            ("resource.name.endsWith('q3')", true),
            ("resource.name == 'x'", false),
            (r"'it\'s' == 'it' || 'x\\' == 'x\\'", true),
            ("'a'.startsWith('')", true),
            // What has no value decides nothing, and is passed over where the other side decides.
            ("resource.type == 'x'", false),
            ("resource.type != 'x'", false),
            ("resource.type == 'x' || true", true),
            ("resource.name", false),
            ("'a' == true", false),
        ] {
            assert_eq!(holds(text, ""), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_expression() {
        for text in [
            "",
            "a b",
            "'a",
            "a.matches('.*')",
            "a.size() > 3",
            "1 == 1",
            "'''a'''",
            "'a' 'b'",
            r"'\x41'",
            "r'a'",
            "a &&",
            "(a",
            "a)",
            "api.getAttribute(a, '')",
            "a ? b : c",
            "a in b",
            "has(a.b)",
            "'a\nb'",
        ] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
    }
}
