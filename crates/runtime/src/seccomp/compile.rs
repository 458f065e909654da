//! Profile → classic BPF.
//!
//! The filter looks at the architecture, then finds the call's number in a binary search over ranges of equal answers: about ten
//! instructions per call. Calls with conditions end in a chain of comparisons.
//!
//! A number above all those which a profile knows answers ENOSYS (unless such calls are allowed anyway): the profile's author
//! cannot have meant it, and C libraries take EPERM for a failure but ENOSYS for an older kernel.
//!
//! Conditional rules of one call are tried in the profile's order; a rule without conditions decides when none fits.

use oci::runtime::{Seccomp, SyscallArg, SyscallRule};
use sys::seccomp::Instruction;

use super::syscalls::{NO, TABLE};
use super::{Listener, SeccompProgram};

const LD_W_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const JA: u16 = 0x05;
const AND: u16 = 0x54;
const RET: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const NOTIFY_ACTION: &str = "SCMP_ACT_NOTIFY";
/// `SECCOMP_FILTER_FLAG_…` of linux/seccomp.h.
const TSYNC: u32 = 1;
const TSYNC_ESRCH: u32 = 1 << 4;
const WAIT_KILLABLE: u32 = 1 << 5;
const ENOSYS: u32 = 38;
const EPERM: u32 = 1;
/// x32 calls have x86_64's architecture and this bit in their number.
const X32_BIT: u32 = 0x4000_0000;
/// The kernel's limit (`BPF_MAXINSNS`).
const MAX: usize = 4096;

/// Name, `AUDIT_ARCH_…`, column of the table.
pub(super) const ARCHITECTURES: [(&str, u32, usize); 5] = [
    ("SCMP_ARCH_X86_64", 0xc000_003e, 0),
    ("SCMP_ARCH_X86", 0x4000_0003, 1),
    ("SCMP_ARCH_X32", 0xc000_003e, X32),
    ("SCMP_ARCH_AARCH64", 0xc000_00b7, 3),
    ("SCMP_ARCH_ARM", 0x4000_0028, 4),
];
const X32: usize = 2;

/// Architectures of which we have no table. Listing them is harmless where they cannot occur: their calls get
/// the answer of any unknown architecture.
const FOREIGN: [&str; 16] = [
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
];

/// What happens at one call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// Conditions that must all hold, and what happens then.
    conditional: Vec<(Vec<Condition>, u32)>,
    otherwise: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    index: u32,
    op: Op,
    value: u64,
    mask: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

pub(super) fn compile(profile: &Seccomp) -> Result<SeccompProgram, String> {
    compile_for(profile, sys::seccomp::has_x32())
}

/// On a kernel without x32 its calls get the kernel's own answer, ENOSYS, and no table.
fn compile_for(profile: &Seccomp, x32: bool) -> Result<SeccompProgram, String> {
    let listener = listener(profile)?;
    if profile.default_errno_ret.is_some()
        && !matches!(profile.default_action.as_str(), "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE")
    {
        return Err(format!("defaultErrnoRet is not for {}", profile.default_action));
    }
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut flags = flags(&profile.flags)?;
    if listener.is_some() {
        flags |= sys::seccomp::NEW_LISTENER;
        if flags & TSYNC != 0 {
            // both answer by a number
            flags |= TSYNC_ESRCH;
        }
    } else if flags & WAIT_KILLABLE != 0 {
        return Err("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs SCMP_ACT_NOTIFY".to_owned());
    }
    let mut columns = columns(profile)?;
    columns.retain(|column| *column != X32 || x32);
    let rules = profile.syscalls.iter().map(|rule| read(rule, default)).collect::<Result<Vec<_>, _>>()?;
    let mut filter = vec![load(ARCH)];
    for group in group(&columns) {
        let code = architecture(&group.columns, &rules, default)?;
        let mut skip = vec![jump(JEQ, group.audit, 1, 0), jump(JA, code.len() as u32, 0, 0)];
        filter.append(&mut skip);
        filter.extend(code);
    }
    filter.push(ret(KILL_PROCESS));
    if filter.len() > MAX {
        return Err(format!("the filter has {} instructions, more than the kernel's {MAX}", filter.len()));
    }
    Ok(SeccompProgram { filter, flags, listener })
}

/// Who is asked, where some rule asks.
fn listener(profile: &Seccomp) -> Result<Option<Listener>, String> {
    if profile.listener_path.is_empty() && !profile.listener_metadata.is_empty() {
        return Err("listenerMetadata is set, but listenerPath is not".to_owned());
    }
    if profile.default_action == NOTIFY_ACTION {
        return Err("SCMP_ACT_NOTIFY cannot be used as default action".to_owned());
    }
    let asks = profile.syscalls.iter().filter(|rule| rule.action == NOTIFY_ACTION);
    // With it a process tells its keeper that there is somebody to be asked.
    if asks.clone().any(|rule| rule.names.iter().any(|name| name == "write")) {
        return Err("SCMP_ACT_NOTIFY cannot be used for the write syscall".to_owned());
    }
    if asks.count() == 0 {
        return Ok(None);
    }
    if profile.listener_path.is_empty() {
        return Err("SCMP_ACT_NOTIFY is used, but listenerPath is not set".to_owned());
    }
    Ok(Some(Listener {
        path: profile.listener_path.clone(),
        metadata: profile.listener_metadata.clone(),
        ..Listener::default()
    }))
}

/// The columns of the architectures which share one audit number.
struct Group {
    audit: u32,
    columns: Vec<usize>,
}

fn group(columns: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for column in columns {
        let Some((_, audit, _)) = ARCHITECTURES.iter().find(|(_, _, own)| own == column) else { continue };
        match groups.iter_mut().find(|group| group.audit == *audit) {
            Some(group) => group.columns.push(*column),
            None => groups.push(Group { audit: *audit, columns: vec![*column] }),
        }
    }
    groups
}

/// The machine's own architecture first: always there, and the one most used.
fn columns(profile: &Seccomp) -> Result<Vec<usize>, String> {
    let mut columns = vec![match std::env::consts::ARCH {
        "x86_64" => 0,
        "aarch64" => 3,
        other => return Err(format!("no system call table for {other}")),
    }];
    for name in &profile.architectures {
        match ARCHITECTURES.iter().find(|(known, ..)| known == name) {
            Some((_, _, column)) if !columns.contains(column) => columns.push(*column),
            Some(_) => {}
            None if FOREIGN.contains(&name.as_str()) => {}
            None => return Err(format!("unknown architecture {name:?}")),
        }
    }
    Ok(columns)
}

struct Rule<'a> {
    names: &'a [String],
    conditions: Vec<Condition>,
    action: u32,
}

fn read(rule: &SyscallRule, default: u32) -> Result<Rule<'_>, String> {
    let conditions = rule.args.iter().map(condition).collect::<Result<_, _>>()?;
    let action_name = rule.action.as_str();
    if rule.names.is_empty() {
        return Err("a rule without names of system calls".to_owned());
    }
    if rule.errno_ret.is_some() && !matches!(action_name, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE") {
        return Err(format!("errnoRet is not for {action_name}"));
    }
    if matches!(default, ALLOW | LOG) && !matches!(action_name, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG") {
        // A call that we cannot name could not be stopped. Under another default it is stopped anyway, and profiles
        // name calls of other architectures.
        let known = |name: &&String| TABLE.iter().any(|(known, _)| *known == name.as_str());
        if let Some(name) = rule.names.iter().find(|name| !known(name)) {
            return Err(format!("unknown system call {name:?} for {action_name}"));
        }
    }
    let errno = rule.errno_ret.or(Some(default & 0xffff).filter(|_| default & 0xffff_0000 == ERRNO));
    Ok(Rule { names: &rule.names, conditions, action: action(&rule.action, errno)? })
}

fn action(name: &str, errno: Option<u32>) -> Result<u32, String> {
    let data = errno.unwrap_or(EPERM);
    if data > 0xffff {
        return Err(format!("error number {data} out of range"));
    }
    Ok(match name {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_LOG" => LOG,
        "SCMP_ACT_ERRNO" => ERRNO | data,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | data,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        NOTIFY_ACTION => NOTIFY,
        other => return Err(format!("unknown action {other:?}")),
    })
}

fn flags(names: &[String]) -> Result<u32, String> {
    names.iter().try_fold(0, |flags, name| {
        Ok(flags
            | match name.as_str() {
                "SECCOMP_FILTER_FLAG_TSYNC" => TSYNC,
                "SECCOMP_FILTER_FLAG_LOG" => 2,
                "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => 4,
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => WAIT_KILLABLE,
                other => return Err(format!("unknown or unsupported flag {other:?}")),
            })
    })
}

fn condition(arg: &SyscallArg) -> Result<Condition, String> {
    if arg.index > 5 {
        return Err(format!("argument index {} out of range", arg.index));
    }
    let simple = |op| Condition { index: arg.index, op, value: arg.value, mask: !0 };
    Ok(match arg.op.as_str() {
        "SCMP_CMP_EQ" => simple(Op::Eq),
        "SCMP_CMP_NE" => simple(Op::Ne),
        "SCMP_CMP_LT" => simple(Op::Lt),
        "SCMP_CMP_LE" => simple(Op::Le),
        "SCMP_CMP_GT" => simple(Op::Gt),
        "SCMP_CMP_GE" => simple(Op::Ge),
        "SCMP_CMP_MASKED_EQ" => {
            Condition { index: arg.index, op: Op::Eq, value: arg.value_two.unwrap_or(0), mask: arg.value }
        }
        other => return Err(format!("unknown operator {other:?}")),
    })
}

/// The code for one audit architecture: begins with the number to be loaded, ends in answers on all ways.
fn architecture(columns: &[usize], rules: &[Rule<'_>], default: u32) -> Result<Vec<Instruction>, String> {
    let mut ranges = Vec::new();
    for column in columns {
        let base = if *column == X32 { X32_BIT } else { 0 };
        ranges.extend(table(*column, base, rules, default));
    }
    if columns == [0] {
        // x32 was not asked for: its numbers must not get round the rules of x86_64's.
        ranges.push((X32_BIT, simple(ERRNO | ENOSYS)));
    }
    ranges.dedup_by(|later, earlier| later.1 == earlier.1);
    let mut code = vec![load(NR)];
    code.extend(match search_shared(&ranges)? {
        Some(tree) => tree,
        None => search(&ranges)?,
    });
    Ok(code)
}

/// What calls of an architecture get that the profile does not have.
fn refusal(default: u32) -> u32 {
    if default == ALLOW || default == LOG { default } else { ERRNO | ENOSYS }
}

fn simple(action: u32) -> Answer {
    Answer { conditional: Vec::new(), otherwise: action }
}

/// Ranges (first number, answer) over all numbers from `base` on, sorted.
fn table(column: usize, base: u32, rules: &[Rule<'_>], default: u32) -> Vec<(u32, Answer)> {
    let mut answers: Vec<(u32, Answer)> = Vec::new();
    for (name, numbers) in TABLE {
        let number = numbers[column];
        if number == NO {
            continue;
        }
        let mut answer = simple(default);
        let mut known = false;
        for rule in rules.iter().filter(|rule| rule.names.iter().any(|one| one == name)) {
            known = true;
            if rule.conditions.is_empty() {
                answer.otherwise = rule.action;
            } else {
                answer.conditional.push((rule.conditions.clone(), rule.action));
            }
        }
        if known {
            answers.push((number, answer));
        }
    }
    answers.sort_by_key(|(number, _)| *number);
    // Numbers of ARM's own calls are far above the others and do not say how new a profile is.
    let last = answers.iter().rev().map(|(number, _)| *number).find(|number| *number < 0xf_0000).unwrap_or(0);
    let mut ranges = vec![(base, simple(default))];
    let mut next = 0;
    let gap = |number: u32| if number > last { simple(refusal(default)) } else { simple(default) };
    for (number, answer) in answers {
        if number > next {
            ranges.push((base + next, gap(next)));
        }
        ranges.push((base + number, answer));
        next = number + 1;
    }
    ranges.push((base + next, gap(next.max(last + 1))));
    // A later entry for the same number is the one that counts.
    ranges.dedup_by(|later, earlier| {
        later.0 == earlier.0 && {
            earlier.1 = later.1.clone();
            true
        }
    });
    ranges
}

/// A comparison of the search: numbers from `number` on go `high`.
struct Node {
    number: u32,
    low: Way,
    high: Way,
}

#[derive(Clone, Copy)]
enum Way {
    Node(usize),
    Answer(usize),
}

/// A binary search over sorted ranges with each answer's code once, behind the comparisons: half as long, and the kernel's
/// work at each start grows with the length. None when a jump would be too far for its 8 bits.
fn search_shared(ranges: &[(u32, Answer)]) -> Result<Option<Vec<Instruction>>, String> {
    let (mut nodes, mut answers) = (Vec::new(), Vec::new());
    grow(ranges, &mut nodes, &mut answers);
    let mut tail = Vec::new();
    let mut starts = Vec::with_capacity(answers.len());
    for answer in answers {
        starts.push(nodes.len() + tail.len());
        tail.extend(answer_code(answer)?);
    }
    let mut code = Vec::with_capacity(nodes.len() + tail.len());
    for (at, node) in nodes.iter().enumerate() {
        let distance = |way: Way| match way {
            Way::Node(to) => u8::try_from(to - at - 1),
            Way::Answer(to) => u8::try_from(starts[to] - at - 1),
        };
        match (distance(node.high), distance(node.low)) {
            (Ok(high), Ok(low)) => code.push(jump(JGE, node.number, high, low)),
            _ => return Ok(None),
        }
    }
    code.extend(tail);
    Ok(Some(code))
}

/// Adds the tree for these ranges, parents first; the way to its root.
fn grow<'a>(ranges: &'a [(u32, Answer)], nodes: &mut Vec<Node>, answers: &mut Vec<&'a Answer>) -> Way {
    if let [(_, answer)] = ranges {
        let known = answers.iter().position(|known| *known == answer);
        return Way::Answer(known.unwrap_or_else(|| {
            answers.push(answer);
            answers.len() - 1
        }));
    }
    let (at, middle) = (nodes.len(), ranges.len() / 2);
    let number = ranges[middle].0;
    // Its ways are known when its children are there.
    nodes.push(Node { number, low: Way::Node(at), high: Way::Node(at) });
    let low = grow(&ranges[..middle], nodes, answers);
    let high = grow(&ranges[middle..], nodes, answers);
    nodes[at] = Node { number, low, high };
    Way::Node(at)
}

/// A binary search of any size: answers in place.
fn search(ranges: &[(u32, Answer)]) -> Result<Vec<Instruction>, String> {
    if let [(_, answer)] = ranges {
        return answer_code(answer);
    }
    let middle = ranges.len() / 2;
    let (low, high) = (search(&ranges[..middle])?, search(&ranges[middle..])?);
    let mut code = Vec::with_capacity(low.len() + high.len() + 2);
    match u8::try_from(low.len()) {
        Ok(distance) => code.push(jump(JGE, ranges[middle].0, distance, 0)),
        Err(_) => {
            code.push(jump(JGE, ranges[middle].0, 0, 1));
            code.push(jump(JA, low.len() as u32, 0, 0));
        }
    }
    code.extend(low);
    code.extend(high);
    Ok(code)
}

fn answer_code(answer: &Answer) -> Result<Vec<Instruction>, String> {
    let mut code = Vec::new();
    for (conditions, action) in &answer.conditional {
        let mut chain = Vec::new();
        // Backwards, so that each knows how far the next rule is.
        chain.push(ret(*action));
        for condition in conditions.iter().rev() {
            let distance = u8::try_from(chain.len()).map_err(|_| "too many conditions in one rule")?;
            let mut test = comparison(condition, distance)?;
            test.append(&mut chain);
            chain = test;
        }
        code.append(&mut chain);
    }
    code.push(ret(answer.otherwise));
    Ok(code)
}

/// Compares one 64-bit argument, half by half; falls through when it holds, else jumps `distance` past its end.
fn comparison(condition: &Condition, distance: u8) -> Result<Vec<Instruction>, String> {
    let at = ARGS + condition.index * 8;
    let (high, low) = ((condition.value >> 32) as u32, condition.value as u32);
    let masks = ((condition.mask >> 32) as u32, condition.mask as u32);
    let half = |offset: u32, mask: u32| {
        let mut code = vec![load(offset)];
        if mask != u32::MAX {
            code.push(Instruction { code: AND, jt: 0, jf: 0, k: mask });
        }
        code
    };
    // Little-endian: the low half first in memory.
    let (high_load, low_load) = (half(at + 4, masks.0), half(at, masks.1));
    let far = distance.checked_add(low_load.len() as u8 + 3).ok_or("too many conditions in one rule")?;
    let low_part = low_load.len() as u8 + 1;
    let mut code = high_load;
    match condition.op {
        Op::Eq => {
            code.push(jump(JEQ, high, 0, distance + low_part));
            code.extend(low_load);
            code.push(jump(JEQ, low, 0, distance));
        }
        Op::Ne => {
            code.push(jump(JEQ, high, 0, low_part));
            code.extend(low_load);
            code.push(jump(JEQ, low, distance, 0));
        }
        Op::Gt | Op::Ge => {
            // Above: holds; equal: the low half decides; below: does not.
            code.push(jump(JGT, high, low_part + 1, 0));
            code.push(jump(JEQ, high, 0, distance + low_part));
            code.extend(low_load);
            code.push(jump(if condition.op == Op::Gt { JGT } else { JGE }, low, 0, distance));
        }
        Op::Lt | Op::Le => {
            code.push(jump(JGT, high, far - 1, 0));
            code.push(jump(JEQ, high, 0, low_part));
            code.extend(low_load);
            code.push(jump(if condition.op == Op::Lt { JGE } else { JGT }, low, distance, 0));
        }
    }
    Ok(code)
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LD_W_ABS, jt: 0, jf: 0, k: offset }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn ret(action: u32) -> Instruction {
    Instruction { code: RET, jt: 0, jf: 0, k: action }
}

#[cfg(test)]
mod tests;
