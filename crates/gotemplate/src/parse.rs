//! The parser, with the sentences Go's `text/template` says about a template it cannot read.

use crate::ast::{Branch, Command, Expr, ExprKind, Node, Pipe};
use crate::lex::{Kind, Token, lex};
use crate::number::number;
use crate::quote::{quote, unquote};
use crate::{Error, functions};

/// Nesting of parentheses and blocks beyond this is refused, so that input cannot exhaust the stack.
const MAX_DEPTH: usize = 200;

/// A named body: the template itself, or a `define`d or `block` one.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) body: Vec<Node>,
}

/// Parses a template; the first definition is the template itself.
pub(crate) fn parse(name: &str, text: &str) -> Result<Vec<Definition>, Error> {
    let mut parser = Parser {
        name,
        tokens: lex(text),
        next: 0,
        furthest: 0,
        variables: vec!["$".into()],
        ranges: 0,
        depth: 0,
        action_line: 0,
        definitions: Vec::new(),
    };
    let body = parser.top()?;
    let mut all = vec![Definition { name: name.into(), body }];
    all.append(&mut parser.definitions);
    Ok(all)
}

/// What ended a list of statements.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    End,
    Else,
}

impl Stop {
    fn describe(self) -> &'static str {
        match self {
            Stop::End => "{{end}}",
            Stop::Else => "{{else}}",
        }
    }
}

enum Step {
    Node(Node),
    Stop(Stop),
}

struct Parser<'a> {
    name: &'a str,
    tokens: Vec<Token>,
    next: usize,
    furthest: usize,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    action_line: usize,
    definitions: Vec<Definition>,
}

impl Parser<'_> {
    fn at(&mut self, index: usize) -> &Token {
        let index = index.min(self.tokens.len() - 1);
        self.furthest = self.furthest.max(index);
        &self.tokens[index]
    }

    fn peek(&mut self) -> Token {
        self.at(self.next).clone()
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.at(self.next).kind == Kind::Space {
            self.next += 1;
        }
    }

    fn peek_solid(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn take_solid(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Result<T, Error> {
        // Go counts the line at the last token it has looked at.
        let line = self.tokens[self.furthest].line;
        Err(Error::new(format!("template: {}:{line}: {message}", self.name)))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, Error> {
        if token.kind != Kind::Error {
            return self.fail(format_args!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let start = if token.text.ends_with(" action") { "" } else { " in action" };
            extra = format!("{start} started at {}:{}", self.name, self.action_line);
        }
        self.fail(format_args!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, Error> {
        let token = self.take_solid();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return self.fail(format_args!("nested deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn top(&mut self) -> Result<Vec<Node>, Error> {
        let mut body = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next;
                self.next += 1;
                if self.take_solid().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.next = delim;
            }
            match self.text_or_action()? {
                Step::Node(node) => body.push(node),
                Step::Stop(stop) => return self.fail(format_args!("unexpected {}", stop.describe())),
            }
        }
        Ok(body)
    }

    /// `{{define "name"}} … {{end}}`, from behind the keyword. Variables of the surroundings are not seen inside.
    fn definition(&mut self) -> Result<(), Error> {
        const CONTEXT: &str = "define clause";
        let token = self.take_solid();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let body = self.separate_body(CONTEXT)?;
        self.define(name, body)
    }

    fn separate_body(&mut self, context: &str) -> Result<Vec<Node>, Error> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::replace(&mut self.ranges, 0);
        let (body, stop) = self.statements()?;
        self.variables = variables;
        self.ranges = ranges;
        match stop {
            Stop::End => Ok(body),
            Stop::Else => self.fail(format_args!("unexpected {} in {context}", stop.describe())),
        }
    }

    fn define(&mut self, name: String, body: Vec<Node>) -> Result<(), Error> {
        let Some(known) = self.definitions.iter_mut().find(|known| known.name == name) else {
            self.definitions.push(Definition { name, body });
            return Ok(());
        };
        if is_blank(&known.body) {
            known.body = body;
        } else if !is_blank(&body) {
            return self.fail(format_args!("template: multiple definition of template {}", quote(&name)));
        }
        Ok(())
    }

    fn template_name(&mut self, token: &Token, context: &str) -> Result<String, Error> {
        match token.kind {
            Kind::Str | Kind::RawStr => self.unquoted(&token.text),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&self, literal: &str) -> Result<String, Error> {
        match unquote(literal) {
            Some(text) => Ok(text),
            None => self.fail("invalid syntax"),
        }
    }

    fn statements(&mut self) -> Result<(Vec<Node>, Stop), Error> {
        self.deeper(|parser| {
            let mut body = Vec::new();
            while parser.peek_solid().kind != Kind::Eof {
                match parser.text_or_action()? {
                    Step::Node(node) => body.push(node),
                    Step::Stop(stop) => return Ok((body, stop)),
                }
            }
            parser.fail("unexpected EOF")
        })
    }

    fn text_or_action(&mut self) -> Result<Step, Error> {
        let token = self.take_solid();
        match token.kind {
            Kind::Text => Ok(Step::Node(Node::Text(token.text))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let step = self.action();
                self.action_line = 0;
                step
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Step, Error> {
        let token = self.take_solid();
        Ok(Step::Node(match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.leave_range(Node::Break, "{{break}}")?,
            Kind::Continue => self.leave_range(Node::Continue, "{{continue}}")?,
            Kind::Else => return self.else_clause(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Step::Stop(Stop::End));
            }
            Kind::If => Node::If(self.branch("if")?),
            Kind::Range => Node::Range(self.branch("range")?),
            Kind::With => Node::With(self.branch("with")?),
            Kind::Template => self.call_template()?,
            _ => {
                self.next -= 1;
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        }))
    }

    fn leave_range(&mut self, node: Node, what: &str) -> Result<Node, Error> {
        self.expect(Kind::RightDelim, what)?;
        if self.ranges == 0 {
            return self.fail(format_args!("{what} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    /// `{{else}}`; of `{{else if …` only the `else` is taken.
    fn else_clause(&mut self) -> Result<Step, Error> {
        if !matches!(self.peek_solid().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Step::Stop(Stop::Else))
    }

    fn branch(&mut self, context: &'static str) -> Result<Branch, Error> {
        let variables = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let in_range = usize::from(context == "range");
        self.ranges += in_range;
        let (body, stop) = self.statements()?;
        self.ranges -= in_range;
        let otherwise = if stop == Stop::Else { self.otherwise(context)? } else { Vec::new() };
        self.variables.truncate(variables);
        Ok(Branch { pipe, body, otherwise })
    }

    fn otherwise(&mut self, context: &'static str) -> Result<Vec<Node>, Error> {
        let chained = matches!((context, self.peek().kind), ("if", Kind::If) | ("with", Kind::With));
        if chained {
            self.next += 1;
            return self.deeper(|parser| {
                let branch = parser.branch(context)?;
                Ok(vec![if context == "if" { Node::If(branch) } else { Node::With(branch) }])
            });
        }
        match self.statements()? {
            (body, Stop::End) => Ok(body),
            (_, stop) => self.fail(format_args!("expected end; found {}", stop.describe())),
        }
    }

    fn call_template(&mut self) -> Result<Node, Error> {
        const CONTEXT: &str = "template clause";
        let token = self.take_solid();
        let pos = token.pos;
        let name = self.template_name(&token, CONTEXT)?;
        let mut pipe = None;
        if self.take_solid().kind != Kind::RightDelim {
            self.next -= 1;
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(Node::Template { pos, name, pipe })
    }

    fn block(&mut self) -> Result<Node, Error> {
        const CONTEXT: &str = "block clause";
        let token = self.take_solid();
        let pos = token.pos;
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let body = self.separate_body(CONTEXT)?;
        self.define(name.clone(), body)?;
        Ok(Node::Template { pos, name, pipe: Some(pipe) })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let pos = self.peek_solid().pos;
        let mut pipe = Pipe { pos, names: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.take_solid();
            if token.kind == end {
                break;
            }
            self.next -= 1;
            match token.kind {
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawStr
                | Kind::Str
                | Kind::Variable
                | Kind::LeftParen => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Error> {
        loop {
            let variable = self.peek_solid();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let back = self.next;
            self.next += 1;
            let token = self.take_solid();
            match token.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = token.kind == Kind::Assign;
                    self.declare(pipe, variable.text);
                    return Ok(());
                }
                Kind::Char if token.text == "," => {
                    self.declare(pipe, variable.text);
                    if context != "range" || pipe.names.len() >= 2 {
                        return self.fail(format_args!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_solid().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    self.next = back;
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, name: String) {
        self.variables.push(name.clone());
        pipe.names.push(name);
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), Error> {
        if pipe.commands.is_empty() {
            return self.fail(format_args!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if let ExprKind::Bool(_) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number { .. } | ExprKind::Str { .. } =
                command.words[0].kind
            {
                return self.fail(format_args!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, Error> {
        let pos = self.peek_solid().pos;
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.next -= 1,
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if words.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { pos, words })
    }

    fn operand(&mut self) -> Result<Option<Expr>, Error> {
        let Some(first) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != Kind::Field {
            return Ok(Some(first));
        }
        // Go places a chain at its second element.
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.take().text[1..].to_owned());
        }
        let kind = match first.kind {
            ExprKind::Field(mut start) => {
                start.append(&mut fields);
                ExprKind::Field(start)
            }
            ExprKind::Variable(mut start) => {
                start.append(&mut fields);
                ExprKind::Variable(start)
            }
            ExprKind::Bool(_) | ExprKind::Str { .. } | ExprKind::Number { .. } | ExprKind::Nil | ExprKind::Dot => {
                return self.fail(format_args!("unexpected . after term {}", quote(&first.to_string())));
            }
            _ => ExprKind::Chain(Box::new(first), fields),
        };
        Ok(Some(Expr { pos, kind }))
    }

    fn term(&mut self) -> Result<Option<Expr>, Error> {
        let token = self.take_solid();
        let kind = match token.kind {
            Kind::Identifier => {
                if !functions::is_known(&token.text) {
                    return self.fail(format_args!("function {} not defined", quote(&token.text)));
                }
                ExprKind::Function(token.text)
            }
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return self.fail(format_args!("undefined variable {}", quote(&token.text)));
                }
                ExprKind::Variable(vec![token.text])
            }
            Kind::Field => ExprKind::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => ExprKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Number => {
                let value = number(&token).or_else(|message| self.fail(message))?;
                ExprKind::Number { text: token.text, value }
            }
            Kind::LeftParen => {
                ExprKind::Pipe(self.deeper(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?)
            }
            Kind::Str | Kind::RawStr => {
                let value = self.unquoted(&token.text)?;
                ExprKind::Str { quoted: token.text, value }
            }
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos: token.pos, kind }))
    }
}

/// Whether a definition holds nothing but white space.
fn is_blank(body: &[Node]) -> bool {
    body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
