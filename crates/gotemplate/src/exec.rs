//! Running a template.

use crate::ast::{Branch, Command, Expr, Node, Pipe};
use crate::print::printed;
use crate::quote::quote;
use crate::value::Value;
use crate::{Error, Functions, MissingKey, Template};

/// How deep blocks and called templates may nest while running; Go allows more, but its stack grows.
const MAX_DEPTH: usize = 400;

/// Runs the template over `data`; what it printed, also up to an error.
pub(crate) fn execute(
    template: &Template,
    data: &Value,
    functions: Functions,
    missing: MissingKey,
) -> (String, Result<(), Error>) {
    let main = &template.definitions[0];
    let mut run = Run {
        template,
        functions,
        missing,
        name: &main.name,
        out: String::new(),
        variables: vec![("$", data.clone())],
        at: None,
        depth: 0,
    };
    let done = run.walk_all(data, &main.body);
    (run.out, done.map(drop))
}

/// What is being evaluated, for error messages.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    Expr(&'a Expr),
    Command(&'a Command),
    Pipe(&'a Pipe),
    Call(usize, &'a str, Option<&'a Pipe>),
}

enum Flow {
    Go,
    Break,
    Continue,
}

/// One run's state.
pub(crate) struct Run<'a> {
    template: &'a Template,
    pub(crate) functions: Functions,
    pub(crate) missing: MissingKey,
    name: &'a str,
    out: String,
    variables: Vec<(&'a str, Value)>,
    pub(crate) at: Option<At<'a>>,
    depth: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn fail<T>(&self, message: impl std::fmt::Display) -> Result<T, Error> {
        let (pos, text) = match self.at {
            None => return Err(Error::new(format!("template: {}: {message}", self.name))),
            Some(At::Expr(expr)) => (expr.pos, expr.to_string()),
            Some(At::Command(command)) => (command.pos, command.to_string()),
            Some(At::Pipe(pipe)) => (pipe.pos, pipe.to_string()),
            Some(At::Call(pos, name, None)) => (pos, format!("{{{{template {}}}}}", quote(name))),
            Some(At::Call(pos, name, Some(pipe))) => (pos, format!("{{{{template {} {pipe}}}}}", quote(name))),
        };
        let before = &self.template.text[..pos.min(self.template.text.len())];
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
        let (file, name) = (&self.template.name, quote(self.name));
        Err(Error::new(format!("template: {file}:{line}:{column}: executing {name} at <{text}>: {message}")))
    }

    fn walk_all(&mut self, dot: &Value, nodes: &'a [Node]) -> Result<Flow, Error> {
        if self.depth == MAX_DEPTH {
            return self.fail(format_args!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        self.depth += 1;
        let mut flow = Flow::Go;
        for node in nodes {
            flow = self.walk(dot, node)?;
            if !matches!(flow, Flow::Go) {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn walk(&mut self, dot: &Value, node: &'a Node) -> Result<Flow, Error> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                self.at = Some(At::Pipe(pipe));
                let value = self.pipeline(dot, pipe)?;
                if pipe.names.is_empty() {
                    self.out.push_str(&printed(&value));
                }
            }
            Node::If(branch) => return self.walk_if(dot, branch, false),
            Node::With(branch) => return self.walk_if(dot, branch, true),
            Node::Range(branch) => return self.walk_range(dot, branch),
            Node::Template { pos, name, pipe } => self.call_template(dot, *pos, name, pipe.as_ref())?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Go)
    }

    fn walk_if(&mut self, dot: &Value, branch: &'a Branch, rebind: bool) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match value.is_true() {
            true if rebind => self.walk_all(&value, &branch.body),
            true => self.walk_all(dot, &branch.body),
            false => self.walk_all(dot, &branch.otherwise),
        };
        self.variables.truncate(mark);
        flow
    }

    fn walk_range(&mut self, dot: &Value, branch: &'a Branch) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let pairs: Vec<(Value, Value)> = match &value {
            Value::List(list) => {
                list.items().iter().enumerate().map(|(index, item)| (Value::Int(index as i64), item.clone())).collect()
            }
            Value::Map(map) => {
                let key = |text: &String| match map.key {
                    "string" => Value::from(text.as_str()),
                    name => Value::Named(text.as_str().into(), name),
                };
                map.iter().map(|(text, item)| (key(text), item.clone())).collect()
            }
            Value::Int(_) if branch.pipe.names.len() > 1 => {
                return self.fail(format_args!("can't use {} to iterate over more than one variable", printed(&value)));
            }
            Value::Int(count) => return self.walk_count(dot, branch, *count, mark),
            Value::Missing | Value::Nil => Vec::new(),
            other => return self.fail(format_args!("range can't iterate over {}", printed(other))),
        };
        if pairs.is_empty() {
            let flow = self.walk_all(dot, &branch.otherwise);
            self.variables.truncate(mark);
            return flow;
        }
        for (key, item) in pairs {
            if let Flow::Break = self.walk_item(branch, key, item, mark)? {
                break;
            }
        }
        self.variables.truncate(mark);
        Ok(Flow::Go)
    }

    fn walk_count(&mut self, dot: &Value, branch: &'a Branch, count: i64, mark: usize) -> Result<Flow, Error> {
        if count <= 0 {
            let flow = self.walk_all(dot, &branch.otherwise);
            self.variables.truncate(mark);
            return flow;
        }
        for index in 0..count {
            if let Flow::Break = self.walk_item(branch, Value::Int(index), Value::Int(index), mark)? {
                break;
            }
        }
        self.variables.truncate(mark);
        Ok(Flow::Go)
    }

    fn walk_item(&mut self, branch: &'a Branch, key: Value, item: Value, mark: usize) -> Result<Flow, Error> {
        let names = &branch.pipe.names;
        if branch.pipe.assigns {
            match names.as_slice() {
                [value] => self.assign(value, item.clone())?,
                [first, value] => {
                    self.assign(first, key)?;
                    self.assign(value, item.clone())?;
                }
                _ => {}
            }
        } else {
            // The pipeline has pushed its variables; each turn sets them anew.
            match names.len() {
                1 => self.variables[mark].1 = item.clone(),
                2 => {
                    self.variables[mark].1 = key;
                    self.variables[mark + 1].1 = item.clone();
                }
                _ => {}
            }
        }
        let inner = self.variables.len();
        let flow = self.walk_all(&item, &branch.body);
        self.variables.truncate(inner);
        flow
    }

    fn call_template(&mut self, dot: &Value, pos: usize, name: &'a str, pipe: Option<&'a Pipe>) -> Result<(), Error> {
        self.at = Some(At::Call(pos, name, pipe));
        let template = self.template;
        let Some(definition) = template.definitions.iter().skip(1).find(|definition| definition.name == name) else {
            return self.fail(format_args!("template {} not defined", quote(name)));
        };
        let data = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Missing,
        };
        let caller = (self.name, std::mem::replace(&mut self.variables, vec![("$", data.clone())]));
        self.name = &definition.name;
        self.walk_all(&data, &definition.body)?;
        (self.name, self.variables) = caller;
        Ok(())
    }

    pub(crate) fn variable(&self, name: &str) -> Result<Value, Error> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fail(format_args!("undefined variable: {name}")),
        }
    }

    fn assign(&mut self, name: &str, value: Value) -> Result<(), Error> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => return self.fail(format_args!("undefined variable: {name}")),
        }
        Ok(())
    }

    pub(crate) fn pipeline(&mut self, dot: &Value, pipe: &'a Pipe) -> Result<Value, Error> {
        self.at = Some(At::Pipe(pipe));
        let mut value = None;
        for command in &pipe.commands {
            let found = self.command(dot, command, value.take())?;
            // A nil `any` is no value.
            value = Some(if let Value::Nil = found { Value::Missing } else { found });
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.names {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }
}
