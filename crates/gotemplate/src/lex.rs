//! The tokens of a template.
//!
//! Follows the lexical rules documented for Go's `text/template` (actions between `{{` and `}}`, trim markers
//! `{{- ` and ` -}}`, comments, Go string, raw string, character and number constants). The whole text is cut at
//! once; the first lexical error becomes the last token, so that it is reported only if the parser gets that far.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Char,
    CharConstant,
    Number,
    Str,
    RawStr,
    Bool,
    Identifier,
    Field,
    Variable,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Kind {
    fn is_keyword(self) -> bool {
        use Kind::*;
        matches!(self, Dot | Nil | Block | Break | Continue | Define | Else | End | If | Range | Template | With)
    }
}

/// One token: its kind, its text (of an error: the message), where it starts, and on which line.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) pos: usize,
    pub(crate) line: usize,
}

impl Token {
    /// The token as error messages show it.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".into(),
            Kind::Error => self.text.clone(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let head: String = self.text.chars().take(10).collect();
                format!("{}...", crate::quote::quote(&head))
            }
            _ => crate::quote::quote(&self.text),
        }
    }
}

/// Cuts a template into tokens; the last one is `Eof` or `Error`.
pub(crate) fn lex(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { input, start: 0, pos: 0, line: 1, depth: 0, tokens: Vec::new() };
    let mut state = Some(State::Text);
    while let Some(now) = state {
        state = match now {
            State::Text => lexer.text(),
            State::Action => lexer.action(),
        };
    }
    lexer.tokens
}

enum State {
    Text,
    Action,
}

struct Lexer<'a> {
    input: &'a str,
    start: usize,
    pos: usize,
    line: usize,
    depth: usize,
    tokens: Vec<Token>,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_numeric()
}

fn has_left_trim(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

fn has_right_trim(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next().is_some_and(is_space) && chars.next() == Some('-')
}

/// The character as Go's `%#U` shows it: `U+0040 '@'`.
fn unicode_name(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", c as u32) } else { format!("U+{:04X} '{c}'", c as u32) }
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn emit(&mut self, kind: Kind) {
        self.push(kind, self.input[self.start..self.pos].to_owned());
        self.skip();
    }

    fn push(&mut self, kind: Kind, text: String) {
        self.tokens.push(Token { kind, text, pos: self.start, line: self.line });
    }

    /// Drops what was read since the last token.
    fn skip(&mut self) {
        self.line += self.input[self.start..self.pos].matches('\n').count();
        self.start = self.pos;
    }

    fn error(&mut self, message: impl Into<String>) -> Option<State> {
        self.push(Kind::Error, message.into());
        None
    }

    fn text(&mut self) -> Option<State> {
        let Some(found) = self.rest().find("{{") else {
            self.pos = self.input.len();
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            self.push(Kind::Eof, String::new());
            return None;
        };
        let delim = self.pos + found;
        let trim = has_left_trim(&self.input[delim + 2..]);
        let text = &self.input[self.start..delim];
        self.pos = self.start + if trim { text.trim_end_matches(is_space).len() } else { text.len() };
        if self.pos > self.start {
            self.emit(Kind::Text);
        }
        self.pos = delim;
        self.skip();
        self.left_delim(trim)
    }

    fn left_delim(&mut self, trim: bool) -> Option<State> {
        self.pos += 2;
        let marker = if trim { 2 } else { 0 };
        if self.input[self.pos + marker..].starts_with("/*") {
            self.pos += marker;
            self.skip();
            return self.comment();
        }
        self.emit(Kind::LeftDelim);
        self.pos += marker;
        self.skip();
        self.depth = 0;
        Some(State::Action)
    }

    fn comment(&mut self) -> Option<State> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return self.error("unclosed comment");
        };
        self.pos += 2 + end + 2;
        let Some(trim) = self.at_right_delim() else {
            return self.error("comment ends before closing delimiter");
        };
        self.pos += if trim { 4 } else { 2 };
        self.skip_trimmed(trim);
        Some(State::Text)
    }

    /// `Some(trims)` at a closing delimiter.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with("}}") {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn skip_trimmed(&mut self, trim: bool) {
        if trim {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(is_space).len();
        }
        self.skip();
    }

    fn right_delim(&mut self) -> Option<State> {
        let trim = self.at_right_delim().unwrap_or(false);
        if trim {
            self.pos += 2;
            self.skip();
        }
        self.pos += 2;
        self.emit(Kind::RightDelim);
        self.skip_trimmed(trim);
        Some(State::Text)
    }

    fn action(&mut self) -> Option<State> {
        if self.at_right_delim().is_some() {
            return if self.depth == 0 { self.right_delim() } else { self.error("unclosed left paren") };
        }
        let Some(c) = self.next() else {
            return self.error("unclosed action");
        };
        match c {
            c if is_space(c) => return self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return self.error("expected :=");
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => return self.quoted('"', Kind::Str, "unterminated quoted string"),
            '\'' => return self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => return self.raw_quoted(),
            '$' => return self.word(Kind::Variable, Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => return self.word(Kind::Field, Kind::Dot),
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            c if is_alphanumeric(c) => return self.identifier(),
            '(' => {
                self.depth += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                if self.depth == 0 {
                    return self.error("unexpected right paren");
                }
                self.depth -= 1;
                self.emit(Kind::RightParen);
            }
            ' '..='~' => self.emit(Kind::Char),
            c => {
                return self.error(format!("unrecognized character in action: {}", unicode_name(c)));
            }
        }
        Some(State::Action)
    }

    fn space(&mut self) -> Option<State> {
        let mut spaces = 1;
        while self.peek().is_some_and(is_space) {
            self.pos += 1;
            spaces += 1;
        }
        // The last space may belong to a trimming right delimiter.
        let last = &self.input[self.pos - 1..];
        if has_right_trim(last) && last[2..].starts_with("}}") {
            self.pos -= 1;
            if spaces == 1 {
                return if self.depth == 0 { self.right_delim() } else { self.error("unclosed left paren") };
            }
        }
        self.emit(Kind::Space);
        Some(State::Action)
    }

    fn take_alphanumeric(&mut self) {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
    }

    /// Whether a word may end here.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) if is_space(c) => true,
            Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            _ => self.rest().starts_with("}}"),
        }
    }

    fn bad_character(&mut self) -> Option<State> {
        let c = self.peek().map(unicode_name).unwrap_or_default();
        self.error(format!("bad character {c}"))
    }

    /// `.field` or `$variable`; `alone` is the kind of a bare `.` or `$`.
    fn word(&mut self, kind: Kind, alone: Kind) -> Option<State> {
        if self.at_terminator() {
            self.emit(alone);
            return Some(State::Action);
        }
        self.take_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind);
        Some(State::Action)
    }

    fn identifier(&mut self) -> Option<State> {
        self.take_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(match &self.input[self.start..self.pos] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            _ => Kind::Identifier,
        });
        Some(State::Action)
    }

    fn quoted(&mut self, end: char, kind: Kind, message: &str) -> Option<State> {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                None | Some('\\' | '\n') => return self.error(message),
                Some(c) if c == end => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Some(State::Action)
    }

    fn raw_quoted(&mut self) -> Option<State> {
        let Some(end) = self.rest().find('`') else {
            return self.error("unterminated raw quoted string");
        };
        self.pos += end + 1;
        self.emit(Kind::RawStr);
        Some(State::Action)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.next();
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn number(&mut self) -> Option<State> {
        self.pos = self.start;
        self.accept("+-");
        let (mut digits, mut exponent) = ("0123456789_", "eE");
        if self.accept("0") {
            if self.accept("xX") {
                (digits, exponent) = ("0123456789abcdefABCDEF_", "pP");
            } else if self.accept("oO") {
                (digits, exponent) = ("01234567_", "");
            } else if self.accept("bB") {
                (digits, exponent) = ("01_", "");
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            let text = crate::quote::quote(&self.input[self.start..self.pos]);
            return self.error(format!("bad number syntax: {text}"));
        }
        self.emit(Kind::Number);
        Some(State::Action)
    }
}
