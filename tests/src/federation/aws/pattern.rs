//! Patterns of IAM policies: `*`, `?` and policy variables (IAM User Guide, "IAM policy elements: Variables and tags").

use super::policy::Context;

enum Part {
    Any,
    One,
    Just(char),
}

/// Whether `text` is what `pattern` says. A variable that `context` does not have matches nothing.
pub fn matches(pattern: &str, text: &str, context: &Context) -> bool {
    parts(pattern, context, true).is_some_and(|parts| fits(&parts, text))
}

/// The text that `pattern` stands for where `*` and `?` have no meaning. Nothing, if it has a variable without a value.
pub fn literal(pattern: &str, context: &Context) -> Option<String> {
    let letter = |part| match part {
        Part::Just(letter) => letter,
        Part::Any => '*',
        Part::One => '?',
    };
    Some(parts(pattern, context, false)?.into_iter().map(letter).collect())
}

fn parts(pattern: &str, context: &Context, wild: bool) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if let Some((name, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')) {
            match name {
                "*" | "?" | "$" => parts.extend(name.chars().map(Part::Just)),
                name => parts.extend(context.sole(name)?.chars().map(Part::Just)),
            }
            rest = after;
            continue;
        }
        parts.push(match letter {
            '*' if wild => Part::Any,
            '?' if wild => Part::One,
            letter => Part::Just(letter),
        });
        rest = &rest[letter.len_utf8()..];
    }
    Some(parts)
}

fn fits(parts: &[Part], text: &str) -> bool {
    // Which lengths of the pattern fit the text read so far.
    let mut fitting = vec![false; parts.len() + 1];
    fitting[0] = true;
    spread(parts, &mut fitting);
    for letter in text.chars() {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| fitting[*at]) {
            match part {
                Part::Any => next[at] = true,
                Part::One => next[at + 1] = true,
                Part::Just(just) => next[at + 1] |= *just == letter,
            }
        }
        spread(parts, &mut next);
        fitting = next;
    }
    fitting[parts.len()]
}

/// `*` may stand for nothing.
fn spread(parts: &[Part], fitting: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if fitting[at] && matches!(part, Part::Any) {
            fitting[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_others_and_variables_for_their_values() {
        let context = Context::default().with("aws:username", "a*b");
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*", "ab/c", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a**", "a", true),
            ("team-a/*", "team-ab/x", false),
            ("team-a/*", "team-a", false),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("${?}a", "?a", true),
            ("x/${aws:username}/*", "x/a*b/c", true),
            ("x/${aws:username}/*", "x/aab/c", false),
            ("${aws:userid}", "", false),
            ("$a", "$a", true),
        ] {
            assert_eq!(matches(pattern, text, &context), wanted, "{pattern} {text}");
        }
        assert_eq!(literal("a*${*}?", &context).as_deref(), Some("a**?"));
        assert_eq!(literal("${aws:userid}", &context), None);
    }
}
