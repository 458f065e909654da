use std::fmt;

/// `USER:ROLE:TYPE[:LEVEL]`; a level may have colons in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub user: String,
    pub role: String,
    pub kind: String,
    /// Empty where the policy has no levels.
    pub level: String,
}

impl Context {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':').map(str::to_owned);
        let (user, role, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = [&user, &role, &kind].iter().all(|part| !part.is_empty());
        whole.then(|| Self { user, role, kind, level: parts.next().unwrap_or_default() })
    }

    /// The same with another level, where it has one.
    pub fn at(&self, level: &str) -> Self {
        let level = if self.level.is_empty() { String::new() } else { level.to_owned() };
        Self { level, ..self.clone() }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.user, self.role, self.kind)?;
        if self.level.is_empty() { Ok(()) } else { write!(f, ":{}", self.level) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_and_shown() {
        for text in ["system_u:system_r:container_t:s0:c1,c2", "a:b:c", "u:r:t:s0-s0:c0.c1023"] {
            assert_eq!(Context::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a:b", "a::c", ":b:c:s0"] {
            assert_eq!(Context::parse(text), None, "{text}");
        }
        let context = Context::parse("a:b:c:s0").unwrap();
        assert_eq!(context.at("s0:c1,c2").to_string(), "a:b:c:s0:c1,c2");
        assert_eq!(Context::parse("a:b:c").unwrap().at("s0").to_string(), "a:b:c");
    }
}
