use super::*;
use crate::seccomp::default_profile;

/// A call as the kernel shows it to a filter.
struct Call {
    arch: u32,
    number: u32,
    args: [u64; 6],
}

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

/// Runs a filter as the kernel does; the action and how many instructions it took.
fn run(filter: &[Instruction], call: &Call) -> (u32, usize) {
    let word = |offset: u32| match offset {
        NR => call.number,
        ARCH => call.arch,
        _ => {
            let at = offset - ARGS;
            (call.args[at as usize / 8] >> (u64::from(at % 8) * 8)) as u32
        }
    };
    let (mut at, mut a, mut steps) = (0, 0u32, 0);
    loop {
        let i = filter[at];
        steps += 1;
        at += 1;
        let branch = |yes: bool| usize::from(if yes { i.jt } else { i.jf });
        match i.code {
            LD_W_ABS => a = word(i.k),
            AND => a &= i.k,
            JEQ => at += branch(a == i.k),
            JGT => at += branch(a > i.k),
            JGE => at += branch(a >= i.k),
            JA => at += i.k as usize,
            RET => return (i.k, steps),
            other => panic!("opcode {other:#x}"),
        }
    }
}

fn number(name: &str, column: usize) -> u32 {
    TABLE.iter().find(|(known, _)| *known == name).unwrap().1[column]
}

#[track_caller]
fn check(filter: &SeccompProgram, arch: u32, number: u32, args: &[u64], expected: u32) {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    let (action, _) = run(&filter.filter, &Call { arch, number, args: all });
    assert_eq!(action, expected, "arch {arch:#x} call {number} {args:?}: {action:#x}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn dockers_default() {
    let filter = compile_for(&default_profile(&[]), true).unwrap();
    let eperm = ERRNO | EPERM;
    let enosys = ERRNO | ENOSYS;
    for (name, args, expected) in [
        ("read", &[][..], ALLOW),
        ("writev", &[], ALLOW),
        ("mount", &[], eperm),
        ("unshare", &[], eperm),
        ("bpf", &[], eperm),
        ("clone", &[0x11], ALLOW),
        ("clone", &[0x1000_0011], eperm),
        ("clone", &[0x0002_0000], eperm),
        ("clone3", &[], enosys),
        ("socket", &[2, 1, 0], ALLOW),
        ("socket", &[38, 5, 0], eperm),
        ("socket", &[39], ALLOW),
        ("socket", &[40], eperm),
        ("socket", &[41], ALLOW),
        ("personality", &[0], ALLOW),
        ("personality", &[8], ALLOW),
        ("personality", &[1], eperm),
        ("personality", &[0xffff_ffff], ALLOW),
        ("personality", &[0x1_0000_0000], eperm),
        ("io_uring_setup", &[], eperm),
        ("keyctl", &[], eperm),
        ("add_key", &[], eperm),
        ("chroot", &[], eperm),
    ] {
        check(&filter, X86_64, number(name, 0), args, expected);
    }
    for (name, args, expected) in [
        ("read", &[][..], ALLOW),
        ("clone", &[0x11], ALLOW),
        ("clone", &[0x1000_0011], eperm),
        ("mount", &[], eperm),
        ("socketcall", &[], ALLOW),
    ] {
        check(&filter, I386, number(name, 1), args, expected);
    }
    check(&filter, X86_64, X32_BIT | number("ioctl", 2), &[], ALLOW);
    check(&filter, X86_64, X32_BIT | number("mount", 2), &[], eperm);
    // Newer than the profile, on either side of x32's numbers.
    check(&filter, X86_64, 1000, &[], enosys);
    check(&filter, X86_64, X32_BIT | 1000, &[], enosys);
    check(&filter, X86_64, u32::MAX, &[], enosys);
    check(&filter, I386, 1000, &[], enosys);
    // ARM's calls on x86.
    check(&filter, 0x4000_0028, 3, &[], KILL_PROCESS);
    assert!(filter.filter.len() <= 410, "{}", filter.filter.len());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn every_call_answers_fast_and_as_the_profile_says() {
    let capabilities = ["CAP_SYS_ADMIN".to_owned(), "CAP_SYS_PTRACE".to_owned()];
    let profile = default_profile(&capabilities);
    let filter = compile(&profile).unwrap();
    let plain = |name: &str| {
        profile.syscalls.iter().any(|rule| rule.args.is_empty() && rule.names.iter().any(|one| one == name))
    };
    for (name, numbers) in TABLE {
        for (column, arch) in [(0, X86_64), (1, I386)] {
            if numbers[column] == NO
                || profile.syscalls.iter().any(|rule| !rule.args.is_empty() && rule.names[0] == *name)
            {
                continue;
            }
            let (action, steps) = run(&filter.filter, &Call { arch, number: numbers[column], args: [0; 6] });
            let refused = [ERRNO | EPERM, ERRNO | ENOSYS];
            assert!(if plain(name) { action == ALLOW } else { refused.contains(&action) }, "{name} {action:#x}");
            assert!(steps < 24, "{name} took {steps}");
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn operators_on_64_bits() {
    const BIG: u64 = 0x1_0000_0005;
    let numbers = [0, 4, 5, 6, 0xffff_ffff, 0x1_0000_0000, BIG - 1, BIG, BIG + 1, 0x2_0000_0000, u64::MAX];
    type Test = fn(u64, u64) -> bool;
    let operators: [(&str, Test); 6] = [
        ("SCMP_CMP_EQ", |a, b| a == b),
        ("SCMP_CMP_NE", |a, b| a != b),
        ("SCMP_CMP_LT", |a, b| a < b),
        ("SCMP_CMP_LE", |a, b| a <= b),
        ("SCMP_CMP_GT", |a, b| a > b),
        ("SCMP_CMP_GE", |a, b| a >= b),
    ];
    for (op, holds) in operators {
        for value in [5, BIG, 0x1_0000_0000, u64::MAX] {
            let condition = |index| SyscallArg { index, value, value_two: None, op: op.to_owned() };
            // Two conditions, so that a wrong distance in the first is seen.
            let rule = SyscallRule {
                names: vec!["read".to_owned()],
                action: "SCMP_ACT_TRAP".to_owned(),
                errno_ret: None,
                args: vec![condition(1), condition(5)],
            };
            let profile =
                Seccomp { default_action: "SCMP_ACT_ALLOW".to_owned(), syscalls: vec![rule], ..Seccomp::default() };
            let filter = compile(&profile).unwrap();
            for a in numbers {
                for b in [a, value] {
                    let expected = if holds(a, value) && holds(b, value) { 0x0003_0000 } else { ALLOW };
                    check(&filter, X86_64, 0, &[0, a, 0, 0, 0, b], expected);
                }
            }
        }
    }
}

#[test]
fn nothing_is_weakened_silently() {
    let good = || default_profile(&[]);
    assert!(compile(&good()).is_ok());
    let mut bad = vec![
        Seccomp { default_action: "SCMP_ACT_WISH".to_owned(), ..good() },
        Seccomp { default_action: String::new(), ..good() },
        Seccomp { architectures: vec!["SCMP_ARCH_PDP11".to_owned()], ..good() },
        Seccomp { flags: vec!["SECCOMP_FILTER_FLAG_WHAT".to_owned()], ..good() },
        Seccomp { listener_metadata: "x".to_owned(), ..good() },
        Seccomp { default_action: "SCMP_ACT_NOTIFY".to_owned(), listener_path: "/x".to_owned(), ..good() },
        Seccomp { flags: vec!["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV".to_owned()], ..good() },
    ];
    let mut profile = good();
    profile.syscalls[0].action = "SCMP_ACT_NOTIFY".to_owned();
    bad.push(profile);
    let mut profile = good();
    profile.syscalls[2].args[0].op = "SCMP_CMP_ALIKE".to_owned();
    bad.push(profile);
    let mut profile = good();
    profile.syscalls[2].args[0].index = 6;
    bad.push(profile);
    for profile in bad {
        assert!(compile(&profile).is_err(), "{profile:?}");
    }
}

#[test]
fn who_is_asked() {
    let rule = |name: &str| SyscallRule {
        names: vec![name.to_owned()],
        action: "SCMP_ACT_NOTIFY".to_owned(),
        ..SyscallRule::default()
    };
    let asking = |name: &str| Seccomp {
        default_action: "SCMP_ACT_ALLOW".to_owned(),
        flags: vec!["SECCOMP_FILTER_FLAG_TSYNC".to_owned()],
        listener_path: "/run/agent".to_owned(),
        listener_metadata: "m".to_owned(),
        syscalls: vec![rule(name)],
        ..Seccomp::default()
    };
    let program = compile(&asking("mkdir")).unwrap();
    let listener = program.listener().unwrap();
    assert_eq!((listener.path.as_str(), listener.metadata.as_str()), ("/run/agent", "m"));
    assert_eq!(program.flags(), 1 | 1 << 4 | sys::seccomp::NEW_LISTENER);
    assert!(program.instructions().iter().any(|one| one.k == NOTIFY));
    let text = serde_json::to_string(&program).unwrap();
    assert_eq!(serde_json::from_str::<SeccompProgram>(&text).unwrap(), program);
    assert!(compile(&asking("write")).is_err());
    // nobody asks
    let quiet = compile(&Seccomp { listener_path: "/x".to_owned(), ..default_profile(&[]) }).unwrap();
    assert!(quiet.listener().is_none() && quiet.flags() & sys::seccomp::NEW_LISTENER == 0);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn without_x32_its_numbers_are_refused() {
    let profile = Seccomp {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        syscalls: default_profile(&[]).syscalls,
        ..Seccomp::default()
    };
    let filter = compile(&profile).unwrap();
    check(&filter, X86_64, X32_BIT, &[], ERRNO | ENOSYS);
    check(&filter, X86_64, 0, &[], ALLOW);
    check(&filter, I386, 3, &[], KILL_PROCESS);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn without_x32_in_the_kernel_its_calls_do_not_exist() {
    let filter = compile_for(&default_profile(&[]), false).unwrap();
    check(&filter, X86_64, X32_BIT | number("ioctl", 2), &[], ERRNO | ENOSYS);
    check(&filter, X86_64, number("ioctl", 0), &[], ALLOW);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_profile_too_large_for_short_jumps() {
    // Every second call has an answer of its own.
    let rules = TABLE.iter().enumerate().map(|(index, (name, _))| SyscallRule {
        names: vec![(*name).to_owned()],
        action: "SCMP_ACT_ERRNO".to_owned(),
        errno_ret: Some(1000 + index as u32),
        args: Vec::new(),
    });
    let profile =
        Seccomp { default_action: "SCMP_ACT_ALLOW".to_owned(), syscalls: rules.collect(), ..Seccomp::default() };
    let filter = compile(&profile).unwrap();
    for (index, (_, numbers)) in TABLE.iter().enumerate().filter(|(_, (_, numbers))| numbers[0] != NO) {
        check(&filter, X86_64, numbers[0], &[], ERRNO | (1000 + index as u32));
    }
}

#[test]
fn travels_as_text() {
    let program = compile(&default_profile(&[])).unwrap();
    let text = serde_json::to_string(&program).unwrap();
    assert_eq!(serde_json::from_str::<SeccompProgram>(&text).unwrap(), program);
    for bad in
        [r#"{"filter":"","flags":0}"#, r#"{"filter":"123","flags":0}"#, r#"{"filter":"zzzzzzzzzzzzzzzz","flags":0}"#]
    {
        assert!(serde_json::from_str::<SeccompProgram>(bad).is_err(), "{bad}");
    }
}
