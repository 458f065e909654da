//! Evaluating the expressions of a template: commands, fields, functions and their arguments.

use crate::ast::{Command, Expr, ExprKind, Number};
use crate::exec::{At, Run};
use crate::functions::{self, Param};
use crate::quote::quote;
use crate::types::Type;
use crate::value::{Record, Value};
use crate::{Error, MissingKey};

impl<'a> Run<'a> {
    /// The value of one command; `last` is what the pipeline had so far, its last argument.
    pub(crate) fn command(&mut self, dot: &Value, command: &'a Command, last: Option<Value>) -> Result<Value, Error> {
        let first = &command.words[0];
        let args = &command.words[1..];
        match &first.kind {
            ExprKind::Field(fields) => {
                self.at = Some(At::Expr(first));
                return self.fields(dot, dot.clone(), fields, args, last);
            }
            ExprKind::Chain(start, fields) => {
                let value = self.chain_start(dot, first, start)?;
                return self.fields(dot, value, fields, args, last);
            }
            ExprKind::Variable(names) => {
                self.at = Some(At::Expr(first));
                let value = self.variable(&names[0])?;
                if names.len() == 1 {
                    self.no_arguments(first, args, &last)?;
                    return Ok(value);
                }
                return self.fields(dot, value, &names[1..], args, last);
            }
            ExprKind::Function(name) => {
                self.at = Some(At::Expr(first));
                return self.function(dot, name, command, last);
            }
            ExprKind::Pipe(pipe) => {
                self.no_arguments(first, args, &last)?;
                return self.pipeline(dot, pipe);
            }
            _ => {}
        }
        self.at = Some(At::Expr(first));
        self.no_arguments(first, args, &last)?;
        match &first.kind {
            ExprKind::Nil => self.fail("nil is not a command"),
            ExprKind::Dot => Ok(dot.clone()),
            _ => Ok(constant(first).unwrap_or(Value::Missing)),
        }
    }

    fn no_arguments(&mut self, first: &'a Expr, args: &[Expr], last: &Option<Value>) -> Result<(), Error> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        self.fail(format_args!("can't give argument to non-function {first}"))
    }

    fn chain_start(&mut self, dot: &Value, chain: &'a Expr, start: &'a Expr) -> Result<Value, Error> {
        self.at = Some(At::Expr(chain));
        if let ExprKind::Nil = start.kind {
            return self.fail(format_args!("indirection through explicit nil in {chain}"));
        }
        self.argument(dot, start)
    }

    /// Follows `.a.b.c`; the arguments go to the last.
    fn fields(
        &mut self,
        dot: &Value,
        receiver: Value,
        fields: &'a [String],
        args: &'a [Expr],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Some((end, path)) = fields.split_last() else {
            return Ok(receiver);
        };
        let mut value = receiver;
        let mut untyped = false;
        for field in path {
            let next = self.field(dot, &value, field, &[], None, untyped)?;
            untyped = matches!(&value, Value::Map(map) if matches!(map.item, Type::Any | Type::Raw));
            value = next;
        }
        self.field(dot, &value, end, args, last, untyped)
    }

    /// One step of a path. `untyped`: Go knows the receiver as an `interface {}` only, which errors tell.
    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        name: &'a str,
        args: &'a [Expr],
        last: Option<Value>,
        untyped: bool,
    ) -> Result<Value, Error> {
        let has_arguments = !args.is_empty() || last.is_some();
        match receiver {
            Value::Missing if self.missing == MissingKey::Error => {
                self.fail(format_args!("nil data; no entry for key {}", quote(name)))
            }
            Value::Missing => Ok(Value::Missing),
            Value::Nil => self.fail(format_args!("nil pointer evaluating interface {{}}.{name}")),
            Value::Object(object) => {
                let Some(arity) = object.arity(name) else {
                    return self.unknown_field(name, object.type_name());
                };
                let count = args.len() + usize::from(last.is_some());
                if count != arity {
                    return self.fail(format_args!("wrong number of args for {name}: want {arity} got {count}"));
                }
                let at = self.at;
                let mut values = Vec::with_capacity(count);
                for arg in args {
                    values.push(self.parameter(dot, arg, Param::Str)?);
                }
                if let Some(last) = last {
                    values.push(self.fitting(last, Param::Str)?);
                }
                self.at = at;
                match object.call(name, &values) {
                    Ok(value) => Ok(value),
                    Err(message) => self.fail(format_args!("error calling {name}: {message}")),
                }
            }
            Value::Struct(record) => match struct_field(record, name) {
                Some(_) if has_arguments => {
                    self.fail(format_args!("{name} has arguments but cannot be invoked as function"))
                }
                Some(value) => Ok(value),
                None => self.unknown_field(name, &record.type_name()),
            },
            Value::Map(map) if map.key != "string" => self.unknown_field(name, &receiver.type_name()),
            Value::Map(_) if has_arguments => self.fail(format_args!("{name} is not a method but has arguments")),
            Value::Map(map) => match map.get(name) {
                Some(value) => Ok(value.clone()),
                None if self.missing == MissingKey::Error => {
                    self.fail(format_args!("map has no entry for key {}", quote(name)))
                }
                None => Ok(Value::Missing),
            },
            Value::NilPointer(to) => {
                let known = match to {
                    Type::Struct(shape) => shape.fields.iter().any(|field| field.go == name),
                    _ => true,
                };
                let type_name = receiver.type_name();
                match known {
                    true => self.fail(format_args!("nil pointer evaluating {type_name}.{name}")),
                    false => self.unknown_field(name, &type_name),
                }
            }
            _ if untyped => self.unknown_field(name, "interface {}"),
            other => self.unknown_field(name, &other.type_name()),
        }
    }

    fn unknown_field(&self, name: &str, type_name: &str) -> Result<Value, Error> {
        self.fail(format_args!("can't evaluate field {name} in type {type_name}"))
    }

    fn function(
        &mut self,
        dot: &Value,
        name: &'a str,
        command: &'a Command,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let Some(signature) = functions::signature(name, self.functions) else {
            return self.fail(format_args!("{} is not a defined function", quote(name)));
        };
        let args = &command.words[1..];
        let count = args.len() + usize::from(last.is_some());
        let fixed = signature.fixed.len();
        match signature.rest {
            Some(_) if count < fixed => {
                return self
                    .fail(format_args!("wrong number of args for {name}: want at least {fixed} got {}", args.len()));
            }
            None if count != fixed => {
                return self.fail(format_args!("wrong number of args for {name}: want {fixed} got {count}"));
            }
            _ => {}
        }
        if let "and" | "or" = name {
            return self.short_circuit(dot, name == "or", args, last);
        }
        let param = |index: usize| signature.fixed.get(index).copied().or(signature.rest).unwrap_or(Param::Any);
        let mut values = Vec::with_capacity(count);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.parameter(dot, arg, param(index))?);
        }
        if let Some(last) = last {
            values.push(self.fitting(last, param(args.len()))?);
        }
        let called = match name {
            "call" => Err(functions::uncallable(&values[0], &args.first().map_or_else(String::new, Expr::to_string))),
            _ => functions::call(name, self.functions, &values),
        };
        match called {
            Ok(value) => Ok(value),
            Err(message) => {
                self.at = Some(At::Command(command));
                self.fail(format_args!("error calling {name}: {message}"))
            }
        }
    }

    fn short_circuit(
        &mut self,
        dot: &Value,
        wanted: bool,
        args: &'a [Expr],
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let mut value = Value::Missing;
        for arg in args {
            value = self.parameter(dot, arg, Param::Any)?;
            if value.is_true() == wanted {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// An argument for a parameter of some kind.
    fn parameter(&mut self, dot: &Value, arg: &'a Expr, param: Param) -> Result<Value, Error> {
        self.at = Some(At::Expr(arg));
        match (&arg.kind, param) {
            (ExprKind::Nil, Param::Any) => Ok(Value::Missing),
            (ExprKind::Nil, Param::Str | Param::Int) => {
                self.fail(format_args!("cannot assign nil to {}", param_name(param)))
            }
            (ExprKind::Nil, Param::Strings) => Ok(Value::zero(&Type::STRINGS)),
            (ExprKind::Bool(_) | ExprKind::Number { .. } | ExprKind::Str { .. }, _) => self.literal(arg, param),
            _ => {
                let value = self.argument(dot, arg)?;
                self.fitting(value, param)
            }
        }
    }

    fn literal(&mut self, arg: &'a Expr, param: Param) -> Result<Value, Error> {
        let value = constant(arg).unwrap_or(Value::Missing);
        match (param, &value) {
            (Param::Any, _) | (Param::Str, Value::Str(_)) | (Param::Int, Value::Int(_)) => Ok(value),
            (Param::Int, Value::Float(number)) if number.fract() == 0.0 => Ok(Value::Int(*number as i64)),
            (Param::Str, _) => self.fail(format_args!("expected string; found {arg}")),
            (Param::Int, _) => self.fail(format_args!("expected integer; found {arg}")),
            (Param::Strings, _) => self.fail(format_args!("can't handle {arg} for arg of type []string")),
        }
    }

    /// The value of an argument that is no literal.
    fn argument(&mut self, dot: &Value, arg: &'a Expr) -> Result<Value, Error> {
        self.at = Some(At::Expr(arg));
        match &arg.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Field(fields) => self.fields(dot, dot.clone(), fields, &[], None),
            ExprKind::Variable(names) => {
                let value = self.variable(&names[0])?;
                self.fields(dot, value, &names[1..], &[], None)
            }
            ExprKind::Chain(start, fields) => {
                let value = self.chain_start(dot, arg, start)?;
                self.fields(dot, value, fields, &[], None)
            }
            ExprKind::Pipe(pipe) => self.pipeline(dot, pipe),
            ExprKind::Function(name) => self.lone_function(name),
            ExprKind::Nil => Ok(Value::Nil),
            _ => Ok(constant(arg).unwrap_or(Value::Missing)),
        }
    }

    /// A function named as an argument is called without arguments.
    fn lone_function(&mut self, name: &'a str) -> Result<Value, Error> {
        match functions::signature(name, self.functions) {
            Some(signature) if signature.fixed.is_empty() => {
                functions::call(name, self.functions, &[]).or_else(|message| self.fail(message))
            }
            Some(signature) => {
                let most = if signature.rest.is_some() { "at least " } else { "" };
                let fixed = signature.fixed.len();
                self.fail(format_args!("wrong number of args for {name}: want {most}{fixed} got 0"))
            }
            None => self.fail(format_args!("{} is not a defined function", quote(name))),
        }
    }

    fn fitting(&mut self, value: Value, param: Param) -> Result<Value, Error> {
        let fits = match (param, &value) {
            (Param::Any, _) | (Param::Str, Value::Str(_)) | (Param::Int, Value::Int(_)) => true,
            (Param::Strings, Value::List(list)) => *list.item == Type::String,
            (Param::Strings, Value::Missing) => return Ok(Value::zero(&Type::STRINGS)),
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        let wanted = param_name(param);
        match value {
            Value::Missing => self.fail(format_args!("invalid value; expected {wanted}")),
            other => self.fail(format_args!("wrong type for value; expected {wanted}; got {}", other.type_name())),
        }
    }
}

fn param_name(param: Param) -> &'static str {
    match param {
        Param::Any => "interface {}",
        Param::Str => "string",
        Param::Int => "int",
        Param::Strings => "[]string",
    }
}

fn constant(expr: &Expr) -> Option<Value> {
    Some(match &expr.kind {
        ExprKind::Bool(value) => Value::Bool(*value),
        ExprKind::Number { value: Number::Int(value), .. } => Value::Int(*value),
        ExprKind::Number { value: Number::Float(value), .. } => Value::Float(*value),
        ExprKind::Str { value, .. } => Value::from(value.as_str()),
        _ => return None,
    })
}

fn struct_field(record: &Record, name: &str) -> Option<Value> {
    let index = record.shape.fields.iter().position(|field| field.go == name)?;
    record.fields.get(index).cloned()
}
