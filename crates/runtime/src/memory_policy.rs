//! NUMA policy (`linux.memoryPolicy`): <https://man7.org/linux/man-pages/man2/set_mempolicy.2.html>

use oci::runtime::MemoryPolicy;

use crate::StartError;
use crate::program::Step;

/// By their numbers (linux/mempolicy.h).
pub(crate) const MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];
pub(crate) const FLAGS: [(&str, u32); 3] =
    [("MPOL_F_STATIC_NODES", 1 << 15), ("MPOL_F_RELATIVE_NODES", 1 << 14), ("MPOL_F_NUMA_BALANCING", 1 << 13)];
/// More than any kernel is built for.
const NODES: usize = 1024;

/// The step that sets it.
pub(crate) fn step(policy: &MemoryPolicy) -> Result<Step, StartError> {
    let mode = MODES.iter().zip(0u32..).find(|(name, _)| **name == policy.mode);
    let (_, mode) = mode.ok_or_else(|| wrong("mode", &policy.mode))?;
    let flags = policy.flags.iter().try_fold(0, |all, name| {
        let flag = FLAGS.iter().find(|(known, _)| known == name).ok_or_else(|| wrong("flag", name))?;
        Ok::<_, StartError>(all | flag.1)
    })?;
    Ok(Step::MemoryPolicy { mode: mode | flags, nodes: mask(&policy.nodes)? })
}

fn wrong(what: &str, text: &str) -> StartError {
    StartError::other(format!("invalid memory policy {what} {text:?}"))
}

/// `0-3,7` as bits, lowest first.
fn mask(list: &str) -> Result<Vec<u64>, StartError> {
    let mut bits = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|number| *number < NODES);
        let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
        let (first, last) = range.ok_or_else(|| wrong("nodes", list))?;
        bits.resize(bits.len().max(last / 64 + 1), 0);
        for node in first..=last {
            bits[node / 64] |= 1 << (node % 64);
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let check = |mode: &str, nodes: &str, flags: &[&str]| {
            let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            match step(&MemoryPolicy { mode: mode.to_owned(), nodes: nodes.to_owned(), flags }) {
                Ok(Step::MemoryPolicy { mode, nodes }) => Ok((mode, nodes)),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.message),
            }
        };
        assert_eq!(check("MPOL_DEFAULT", "", &[]), Ok((0, vec![])));
        assert_eq!(check("MPOL_BIND", "0-2,5", &["MPOL_F_STATIC_NODES"]), Ok((2 | 1 << 15, vec![0b100111])));
        assert_eq!(check("MPOL_WEIGHTED_INTERLEAVE", "1,64", &[]), Ok((6, vec![2, 1])));
        for (mode, nodes, flags, what) in [
            ("MPOL_NONE", "", &[][..], "mode"),
            ("", "", &[], "mode"),
            ("MPOL_BIND", "3-1", &[], "nodes"),
            ("MPOL_BIND", "x", &[], "nodes"),
            ("MPOL_BIND", "0-9999", &[], "nodes"),
            ("MPOL_BIND", "0", &["MPOL_F_X"], "flag"),
        ] {
            let why = check(mode, nodes, flags).unwrap_err();
            assert!(why.starts_with(&format!("invalid memory policy {what} ")), "{why}");
        }
    }
}
