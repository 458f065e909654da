//! Go's `fmt.Sprintf` for the values templates have.

use crate::print::{exponent, float, write_value};
use crate::quote::{quote, quote_char};
use crate::value::Value;

/// Widths and precisions beyond this are a slip, and Go calls them bad.
const MAX_WIDTH: usize = 1_000_000;

#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The format with its verbs replaced; mistakes show in the text as Go shows them (`%!d(string=x)`).
pub(crate) fn sprintf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut next = 0;
    // with explicit indexes, Go does not count what was left over
    let mut reordered = false;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                _ => spec.zero = true,
            }
        }
        spec.width = if chars.next_if_eq(&'*').is_some() {
            let width = star(args, &mut next, &mut out, "%!(BADWIDTH)");
            spec.minus |= width.is_some_and(|width| width < 0);
            width.map(|width| width.unsigned_abs() as usize)
        } else {
            number(&mut chars)
        };
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = if chars.next_if_eq(&'*').is_some() {
                star(args, &mut next, &mut out, "%!(BADPREC)").and_then(|precision| usize::try_from(precision).ok())
            } else {
                Some(number(&mut chars).unwrap_or(0))
            };
        }
        let mut bad_index = false;
        if chars.next_if_eq(&'[').is_some() {
            let index = number(&mut chars).filter(|_| chars.next_if_eq(&']').is_some());
            match index.filter(|&index| index >= 1 && index <= args.len()) {
                Some(index) => next = index - 1,
                None => bad_index = true,
            }
            reordered = true;
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) if bad_index => out.push_str(&format!("%!{verb}(BADINDEX)")),
            Some(verb) => match args.get(next) {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => {
                    next += 1;
                    out.push_str(&format_value(value, verb, &spec));
                }
            },
        }
    }
    if next < args.len() && !reordered {
        let extra: Vec<_> = args[next..].iter().map(described).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        value = Some((value.unwrap_or(0) * 10 + digit as usize).min(MAX_WIDTH));
    }
    value
}

fn star(args: &[Value], next: &mut usize, out: &mut String, bad: &str) -> Option<i64> {
    let found = args.get(*next);
    *next += usize::from(found.is_some());
    match found {
        Some(Value::Int(value)) if value.unsigned_abs() <= MAX_WIDTH as u64 => Some(*value),
        _ => {
            out.push_str(bad);
            None
        }
    }
}

fn described(value: &Value) -> String {
    if let Value::Missing | Value::Nil = value {
        return "<nil>".into();
    }
    let mut text = format!("{}=", value.type_name());
    write_value(&mut text, value, false);
    text
}

fn bad_verb(value: &Value, verb: char) -> String {
    format!("%!{verb}({})", described(value))
}

fn padded(text: String, spec: &Spec) -> String {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if spec.minus {
        text + &" ".repeat(missing)
    } else if spec.zero {
        // Zeros go behind a sign.
        match text.strip_prefix(['+', '-']) {
            Some(digits) => format!("{}{}{digits}", &text[..1], "0".repeat(missing)),
            None => "0".repeat(missing) + &text,
        }
    } else {
        " ".repeat(missing) + &text
    }
}

fn format_value(value: &Value, verb: char, spec: &Spec) -> String {
    match (verb, value) {
        ('T', Value::Missing | Value::Nil) => padded("<nil>".into(), spec),
        ('T', value) => padded(value.type_name(), spec),
        ('v', Value::Int(_) | Value::Float(_) | Value::Bool(_)) => basic(value, verb, spec),
        ('v', value) => match value.as_str() {
            Some(text) if spec.sharp => padded(quote(text), &Spec { zero: false, ..*spec }),
            Some(text) => padded(text.into(), &Spec { zero: false, ..*spec }),
            None => {
                let mut text = String::new();
                write_value(&mut text, value, spec.plus);
                padded(text, spec)
            }
        },
        (_, Value::Missing | Value::Nil) => format!("%!{verb}(<nil>)"),
        (_, Value::List(list)) => {
            let items: Vec<_> = list.items().iter().map(|item| format_value(item, verb, spec)).collect();
            format!("[{}]", items.join(" "))
        }
        (_, Value::Map(map)) => {
            let key = |key: &str| format_value(&key.into(), verb, spec);
            let items: Vec<_> =
                map.iter().map(|(name, item)| format!("{}:{}", key(name), format_value(item, verb, spec))).collect();
            format!("map[{}]", items.join(" "))
        }
        (_, Value::Struct(record)) => {
            let items: Vec<_> = record.fields.iter().map(|item| format_value(item, verb, spec)).collect();
            format!("{{{}}}", items.join(" "))
        }
        _ => basic(value, verb, spec),
    }
}

fn basic(value: &Value, verb: char, spec: &Spec) -> String {
    match value {
        Value::Bool(flag) if matches!(verb, 't' | 'v') => padded(flag.to_string(), &Spec { zero: false, ..*spec }),
        Value::Duration(number) if verb != 's' => integer(*number, value, verb, spec),
        Value::Int(number) => integer(*number, value, verb, spec),
        Value::Float(number) => floating(*number, value, verb, spec),
        other => match other.as_str() {
            Some(text) => string(text, value, verb, spec),
            None if matches!(verb, 's' | 'v') => {
                let mut text = String::new();
                write_value(&mut text, value, false);
                padded(text, spec)
            }
            None => bad_verb(value, verb),
        },
    }
}

fn string(text: &str, value: &Value, verb: char, spec: &Spec) -> String {
    let cut: String = match spec.precision {
        Some(length) => text.chars().take(length).collect(),
        None => text.into(),
    };
    // Go pads strings with zeros for %0Ns too.
    match verb {
        's' | 'v' => padded(cut, spec),
        'q' if spec.sharp && !cut.contains('`') && !cut.chars().any(|c| c.is_control() && c != '\t') => {
            padded(format!("`{cut}`"), spec)
        }
        'q' => padded(quote(&cut), spec),
        'x' | 'X' => {
            let gap = if spec.space { " " } else { "" };
            let bytes: Vec<_> = text.bytes().take(spec.precision.unwrap_or(usize::MAX)).collect();
            let hex: Vec<_> = bytes
                .iter()
                .map(|byte| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") })
                .collect();
            let prefix = if spec.sharp { format!("0{verb}") } else { String::new() };
            padded(prefix + &hex.join(gap), spec)
        }
        _ => bad_verb(value, verb),
    }
}

fn integer(number: i64, value: &Value, verb: char, spec: &Spec) -> String {
    let size = number.unsigned_abs();
    let mut digits = match verb {
        'd' | 'v' => size.to_string(),
        'b' => format!("{size:b}"),
        'o' | 'O' => format!("{size:o}"),
        'x' => format!("{size:x}"),
        'X' => format!("{size:X}"),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            return match verb {
                'c' => padded(c.into(), spec),
                'q' => padded(quote_char(c), spec),
                _ => padded(format!("U+{size:04X}"), spec),
            };
        }
        _ => return bad_verb(value, verb),
    };
    if let Some(precision) = spec.precision {
        digits = if precision == 0 && number == 0 { String::new() } else { format!("{digits:0>precision$}") };
    }
    let prefix = match verb {
        'x' | 'X' if spec.sharp => format!("0{verb}"),
        'b' if spec.sharp => "0b".into(),
        'o' if spec.sharp => "0".into(),
        'O' => "0o".into(),
        _ => String::new(),
    };
    let text = format!("{}{prefix}{digits}", sign(number < 0, spec));
    // A precision replaces zero padding.
    padded(text, &Spec { zero: spec.zero && spec.precision.is_none(), ..*spec })
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match negative {
        true => "-",
        false if spec.plus => "+",
        false if spec.space => " ",
        false => "",
    }
}

fn floating(number: f64, value: &Value, verb: char, spec: &Spec) -> String {
    let size = number.abs();
    let text = match (verb, spec.precision) {
        ('v' | 'g', None) => float(size),
        ('v' | 'g', Some(precision)) => significant(size, precision.clamp(1, 300)),
        ('G', None) => float(size).to_uppercase(),
        ('G', Some(precision)) => significant(size, precision.clamp(1, 300)).to_uppercase(),
        ('f' | 'F', precision) => format!("{size:.*}", precision.unwrap_or(6).min(300)),
        ('e' | 'E', precision) => exponent(&format!("{size:.*e}", precision.unwrap_or(6).min(300)), verb),
        _ => return bad_verb(value, verb),
    };
    padded(format!("{}{text}", sign(number.is_sign_negative(), spec)), spec)
}

/// `%.Ng`: N significant digits, without trailing zeros.
fn significant(size: f64, precision: usize) -> String {
    let scientific = format!("{size:.*e}", precision - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= precision as i32 {
        let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return exponent(&format!("{}e{power}", trim(digits)), 'e');
    }
    trim(&format!("{size:.*}", (precision as i32 - 1 - power).max(0) as usize))
}
