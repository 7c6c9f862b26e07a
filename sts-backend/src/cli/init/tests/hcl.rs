//! As much of HCL's native syntax as shows that a text is one: where strings, comments and brackets begin and end, and what
//! the strings say. Templates in strings are taken for what they are: a string with `${` in it says something else.

/// One token. Which name or operator it is makes no difference to what is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Open(char),
    Close(char),
    /// A string without templates, as it is when it is read.
    Text(String),
    /// A string with templates, as it is written.
    Template(String),
    Comment(String),
    /// Names, numbers, operators.
    Other(String),
}

/// The tokens of `text`, if every string ends on its line and every bracket is closed by its own.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let (token, after) = string(&rest[1..])?;
                tokens.push(token);
                rest = after;
                continue;
            }
            '#' => {
                let line = rest.lines().next().unwrap_or_default();
                tokens.push(Token::Comment(line.to_owned()));
                rest = &rest[line.len()..];
                continue;
            }
            '{' | '[' | '(' => {
                open.push(first);
                tokens.push(Token::Open(first));
            }
            '}' | ']' | ')' => {
                let wanted = match open.pop() {
                    Some('{') => '}',
                    Some('[') => ']',
                    Some('(') => ')',
                    _ => return Err(format!("`{first}` closes nothing")),
                };
                if wanted != first {
                    return Err(format!("`{first}` where `{wanted}` is due"));
                }
                tokens.push(Token::Close(first));
            }
            c if c.is_whitespace() => {}
            c if c.is_ascii_alphanumeric() || "_=.,-".contains(c) => match tokens.last_mut() {
                Some(Token::Other(word)) => word.push(c),
                _ => tokens.push(Token::Other(c.to_string())),
            },
            c => return Err(format!("`{c}` outside of a string")),
        }
        rest = &rest[first.len_utf8()..];
    }
    if open.is_empty() { Ok(tokens) } else { Err(format!("{open:?} are not closed")) }
}

/// The string at whose first character `text` begins, and what follows it.
fn string(text: &str) -> Result<(Token, &str), String> {
    let mut said = String::new();
    let mut template = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let token = if template { Token::Template(text[..at].to_owned()) } else { Token::Text(said) };
                return Ok((token, &text[at + 1..]));
            }
            '\n' => return Err("a string does not end on its line".to_owned()),
            '$' | '%' if characters.peek().is_some_and(|(_, next)| *next == '{') => template = true,
            '\\' => {
                let kind = characters.next().map(|(_, kind)| kind);
                let mut numbered = |digits: usize| {
                    let number: String = characters.by_ref().take(digits).map(|(_, digit)| digit).collect();
                    u32::from_str_radix(&number, 16).ok().and_then(char::from_u32)
                };
                let meant = match kind {
                    Some('"' | '\\') => kind,
                    Some('u') => numbered(4),
                    Some('U') => numbered(8),
                    _ => None,
                };
                said.push(meant.ok_or("an escape that HCL does not know")?);
            }
            _ => said.push(character),
        }
    }
    Err("a string does not end".to_owned())
}

#[test]
fn strings_and_brackets_are_told_apart() {
    let text = "a = {\n  b = [\"x\\\"{\\u0024{\"] # \"(\n}";
    let token = |text: &str| Token::Other(text.to_owned());
    let wanted = [
        token("a="),
        Token::Open('{'),
        token("b="),
        Token::Open('['),
        Token::Text("x\"{${".to_owned()),
        Token::Close(']'),
        Token::Comment("# \"(".to_owned()),
        Token::Close('}'),
    ];
    assert_eq!(tokens(text).unwrap(), wanted);
    assert_eq!(tokens("\"${a}\"").unwrap(), [Token::Template("${a}".to_owned())]);
    for wrong in ["{", "]", "{]", "\"a", "\"a\nb\"", "\"\\x\"", "a;b"] {
        assert!(tokens(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn all_terraform_is_balanced_and_quoted() {
    for line in super::variations() {
        let text = super::in_format(&line, "terraform");
        tokens(&text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
    }
}

#[test]
fn names_with_a_dash_are_one_name_in_terraform() {
    let text = super::in_format(super::FULL[0], "terraform");
    assert!(text.contains("resource \"aws_iam_role\" \"reports_prod\""), "{text}");
    assert!(text.contains("aws_iam_role.reports_prod.arn"), "{text}");
}
