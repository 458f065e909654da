//! The device controller: text lines on v1, an eBPF program on v2.

use oci::runtime::DeviceRule;
use sys::bpf::Instruction;
use values::{Error, Result};

const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

/// A rule as v1's `devices.allow` and `devices.deny` take it.
pub(crate) fn line(rule: &DeviceRule) -> Result<String> {
    let number =
        |value: Option<i64>| value.filter(|value| *value >= 0).map_or("*".to_owned(), |value| value.to_string());
    let kind = match rule.kind.as_str() {
        "" | "a" => "a",
        "b" => "b",
        "c" | "u" => "c",
        other => return Err(Error::invalid(format!("device rule of unknown type {other:?}"))),
    };
    access(rule)?;
    let letters = if rule.access.is_empty() { "rwm" } else { &rule.access };
    Ok(format!("{kind} {}:{} {letters}", number(rule.major), number(rule.minor)))
}

fn access(rule: &DeviceRule) -> Result<i32> {
    if rule.access.is_empty() {
        return Ok(READ | WRITE | MKNOD);
    }
    rule.access.chars().try_fold(0, |bits, letter| match letter {
        'r' => Ok(bits | READ),
        'w' => Ok(bits | WRITE),
        'm' => Ok(bits | MKNOD),
        other => Err(Error::invalid(format!("device rule with unknown access {other:?}"))),
    })
}

/// A program which answers 1 (allow) or 0 by these rules, the last one that fits deciding; what fits none is denied.
/// Context: `struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }`, the type in the low half of the first.
///
/// A request may ask for several accesses at once. An allowing rule fits when it covers all of them, a denying one
/// when it touches any; so nothing is let through that v1 would have refused.
pub(crate) fn program(rules: &[DeviceRule]) -> Result<Vec<Instruction>> {
    // r2 = type, r3 = access, r4 = major, r5 = minor
    let mut code = vec![load(2, 0), op(0x57, 2, 0xffff), load(3, 0), op(0x77, 3, 16), load(4, 4), load(5, 8)];
    for rule in rules.iter().rev() {
        let (body, whole) = rule_code(rule)?;
        code.extend(body);
        if whole {
            return Ok(code);
        }
    }
    code.extend(answer(false));
    Ok(code)
}

/// One rule's instructions; true when it fits everything, so that what follows could not be reached.
fn rule_code(rule: &DeviceRule) -> Result<(Vec<Instruction>, bool)> {
    let kind = match rule.kind.as_str() {
        "" | "a" => None,
        "b" => Some(BLOCK),
        "c" | "u" => Some(CHARACTER),
        other => return Err(Error::invalid(format!("device rule of unknown type {other:?}"))),
    };
    let bits = access(rule)?;
    let number = |value: Option<i64>| -> Result<Option<i32>> {
        value
            .filter(|value| *value >= 0)
            .map(|value| u32::try_from(value).map(|value| value as i32))
            .transpose()
            .map_err(|_| Error::invalid("device number out of range"))
    };
    // Tests that must hold; each jumps over the rest of the rule otherwise.
    let mut tests: Vec<Vec<Instruction>> = Vec::new();
    if let Some(kind) = kind {
        tests.push(vec![op(0x55, 2, kind)]);
    }
    if bits != READ | WRITE | MKNOD {
        // r1 = access & mask; the context is not needed any more
        let mask = if rule.allow { !bits & 7 } else { bits };
        let jump = if rule.allow { 0x55 } else { 0x15 };
        tests.push(vec![
            Instruction { code: 0xbf, registers: 0x31, offset: 0, immediate: 0 },
            op(0x57, 1, mask),
            op(jump, 1, 0),
        ]);
    }
    if let Some(major) = number(rule.major)? {
        tests.push(vec![op32(4, major)]);
    }
    if let Some(minor) = number(rule.minor)? {
        tests.push(vec![op32(5, minor)]);
    }
    let whole = tests.is_empty();
    let mut code: Vec<Instruction> = tests.into_iter().flatten().collect();
    let end = code.len() + 2;
    for (at, instruction) in code.iter_mut().enumerate() {
        let jumps = matches!(instruction.code, 0x55 | 0x15 | 0x56);
        if jumps {
            instruction.offset = (end - at - 1) as i16;
        }
    }
    code.extend(answer(rule.allow));
    Ok((code, whole))
}

/// `rDST = *(u32 *)(r1 + offset)`
fn load(destination: u8, offset: i16) -> Instruction {
    Instruction { code: 0x61, registers: 0x10 | destination, offset, immediate: 0 }
}

fn op(code: u8, register: u8, immediate: i32) -> Instruction {
    Instruction { code, registers: register, offset: 0, immediate }
}

/// Jump when the 32-bit register is not equal.
fn op32(register: u8, immediate: i32) -> Instruction {
    op(0x56, register, immediate)
}

fn answer(allow: bool) -> [Instruction; 2] {
    [op(0xb7, 0, i32::from(allow)), op(0x95, 0, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> DeviceRule {
        let mut parts = text.split(' ');
        let mut next = || parts.next().unwrap();
        let number = |text: &str| if text == "*" { None } else { Some(text.parse().unwrap()) };
        DeviceRule {
            allow: next() == "allow",
            kind: next().to_owned(),
            major: number(next()),
            minor: number(next()),
            access: next().to_owned(),
        }
    }

    /// Runs the few opcodes that `program` uses.
    fn run(code: &[Instruction], kind: i32, bits: i32, major: i64, minor: i64) -> i64 {
        let context = [i64::from(kind | bits << 16), major, minor];
        let mut r = [0i64; 6];
        let mut at = 0;
        loop {
            let i = code[at];
            let (dst, src) = (usize::from(i.registers & 15), usize::from(i.registers >> 4));
            let k = i64::from(i.immediate);
            at += 1;
            let mut jump = |yes: bool| at = if yes { at + i.offset as usize } else { at };
            match i.code {
                0x61 => r[dst] = context[i.offset as usize / 4],
                0x57 => r[dst] &= k,
                0x77 => r[dst] >>= k,
                0xbf => r[dst] = r[src],
                0xb7 => r[dst] = k,
                0x55 => jump(r[dst] != k),
                0x15 => jump(r[dst] == k),
                0x56 => jump(r[dst] as i32 != i.immediate),
                0x95 => return r[0],
                other => panic!("opcode {other:#x}"),
            }
        }
    }

    #[test]
    fn answers() {
        let rules: Vec<DeviceRule> =
            ["deny a * * rwm", "allow c * * m", "allow c 1 3 rwm", "allow b 8 * r", "deny c 1 5 w"].map(rule).into();
        let code = program(&rules).unwrap();
        for (kind, bits, major, minor, expected) in [
            (CHARACTER, READ, 1, 3, 1),
            (CHARACTER, READ | WRITE | MKNOD, 1, 3, 1),
            (CHARACTER, READ, 1, 4, 0),
            (CHARACTER, MKNOD, 99, 4, 1),
            (CHARACTER, MKNOD | READ, 99, 4, 0),
            (BLOCK, READ, 8, 1, 1),
            (BLOCK, WRITE, 8, 1, 0),
            (BLOCK, READ, 9, 1, 0),
            (CHARACTER, WRITE, 1, 5, 0),
        ] {
            assert_eq!(run(&code, kind, bits, major, minor), expected, "{kind} {bits} {major}:{minor}");
        }
        let all = program(&[rule("allow a * * rwm")]).unwrap();
        assert_eq!(run(&all, BLOCK, 7, 5, 5), 1);
        assert_eq!(run(&program(&[]).unwrap(), BLOCK, 7, 5, 5), 0);
    }

    /// Needs root and a cgroup2 mounted somewhere; a process in a group with these rules meets them.
    #[test]
    fn the_kernel_obeys() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mut places = mounts.lines().filter(|l| l.split(' ').nth(2) == Some("cgroup2"));
        let Some(root) = places.find_map(|l| l.split(' ').nth(1)) else { return };
        let group = std::path::Path::new(root).join(format!("lighter-bpf-{}", std::process::id()));
        std::fs::create_dir(&group).unwrap();
        let rules: Vec<DeviceRule> =
            ["deny a * * rwm", "allow c 1 3 rwm", "allow c 1 9 r", "allow c 5 0 rwm"].map(rule).into();
        let program = sys::bpf::load_device_program(&program(&rules).unwrap()).unwrap();
        let fd = std::fs::File::open(&group).unwrap();
        sys::bpf::attach_device_program(std::os::fd::AsFd::as_fd(&fd), std::os::fd::AsFd::as_fd(&program)).unwrap();
        let script = format!(
            "echo $$ > {}/cgroup.procs; (: > /dev/null) && echo null; (: < /dev/urandom) && echo read; \
                (: > /dev/urandom) && echo write; (: < /dev/zero) && echo zero; true",
            group.display()
        );
        let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        std::fs::remove_dir(&group).unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), "null\nread\n");
    }

    #[test]
    fn the_kernel_takes_it() {
        let rules: Vec<DeviceRule> = ["deny a * * rwm", "allow c 1 3 rwm", "allow c * * m"].map(rule).into();
        let program = sys::bpf::load_device_program(&program(&rules).unwrap());
        assert!(program.is_ok(), "{program:?}");
    }
}
