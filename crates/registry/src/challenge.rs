//! `WWW-Authenticate` (RFC 9110 §11.6.1): what a registry wants to be shown.

use std::collections::BTreeMap;

/// One challenge. Scheme and names of parameters are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    pub parameters: BTreeMap<String, String>,
}

impl Challenge {
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// All challenges of one header field. What cannot be understood ends the reading: what came before it counts.
pub fn parse(field: &str) -> Vec<Challenge> {
    let mut rest = Scanner(field);
    let mut all: Vec<Challenge> = Vec::new();
    loop {
        rest.skip_separators();
        let Some(word) = rest.token() else { return all };
        rest.skip_blanks();
        match (rest.value_after_equals(), all.last_mut()) {
            (Some(value), Some(challenge)) => {
                challenge.parameters.insert(word.to_ascii_lowercase(), value);
            }
            // a parameter of no scheme
            (Some(_), None) => return all,
            (None, _) => all.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() }),
        }
    }
}

struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn skip_separators(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
    }

    /// RFC 9110 §5.6.2
    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// `= value` or `= "quoted"`. Nothing is taken where there is none.
    fn value_after_equals(&mut self) -> Option<String> {
        let rest = self.0.strip_prefix('=')?.trim_start_matches([' ', '\t']);
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find([',', ' ', '\t', '"']).unwrap_or(rest.len());
            let (value, rest) = rest.split_at(end);
            self.0 = rest;
            return Some(value.into());
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.0 = &quoted[at + 1..];
                    return Some(value);
                }
                '\\' => value.extend(characters.next().map(|(_, c)| c)),
                c => value.push(c),
            }
        }
        // not closed: it ends with the field
        self.0 = "";
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(field: &str) -> Vec<String> {
        let show = |c: Challenge| {
            let parameters = c.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            c.scheme + &parameters.collect::<String>()
        };
        parse(field).into_iter().map(show).collect()
    }

    #[test]
    fn fields() {
        for (field, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                &[
                    "bearer realm=https://auth.docker.io/token scope=repository:a/b:pull,push service=registry.docker.io",
                ][..],
            ),
            (r#"Basic realm="Registry Realm""#, &["basic realm=Registry Realm"]),
            (r#"basic Realm = "a\"b" , BEARER realm=x"#, &["basic realm=a\"b", "bearer realm=x"]),
            (r#"Negotiate, Basic realm=r"#, &["negotiate", "basic realm=r"]),
            (r#"Bearer realm="x"#, &["bearer realm=x"]),
            (r#"realm="x""#, &[]),
            ("", &[]),
            (",,,", &[]),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(field in ".{0,200}") {
            parse(&field);
        }

        #[test]
        fn what_is_quoted_comes_back(realm in "[ -~]{0,40}", scope in "[a-z:/,]{0,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let all = parse(&format!("Bearer scope=\"{scope}\", realm=\"{quoted}\", Basic realm=x"));
            prop_assert_eq!(all.len(), 2);
            prop_assert_eq!(all[0].get("realm"), realm);
            prop_assert_eq!(all[0].get("scope"), scope);
        }
    }
}
