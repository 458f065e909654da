use rustix::io::Errno;

/// Owners inside a user namespace and outside of it (user_namespaces(7)). Empty: they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub uids: Vec<IdRange>,
    pub gids: Vec<IdRange>,
}

/// So many ids from one on inside are those from another on outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    pub inside: u32,
    pub outside: u32,
    pub size: u32,
}

/// What the kernel shows for an id that is not in a namespace (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65534;

impl Ids {
    /// An owner that was seen outside; the kernel's nobody where there is none inside.
    pub fn inside(&self, uid: u32, gid: u32) -> (u32, u32) {
        let map = |ranges: &[IdRange], id| if ranges.is_empty() { id } else { inside(ranges, id).unwrap_or(NOBODY) };
        (map(&self.uids, uid), map(&self.gids, gid))
    }

    /// The owner outside of one inside.
    ///
    /// # Errors
    /// EINVAL for one that is not in the namespace, as `chown(2)` there would say.
    pub fn outside(&self, uid: u32, gid: u32) -> Result<(u32, u32), Errno> {
        let map = |ranges: &[IdRange], id| if ranges.is_empty() { Some(id) } else { outside(ranges, id) };
        map(&self.uids, uid).zip(map(&self.gids, gid)).ok_or(Errno::INVAL)
    }
}

fn inside(ranges: &[IdRange], id: u32) -> Option<u32> {
    let in_range = |range: &&IdRange| id >= range.outside && id - range.outside < range.size;
    ranges.iter().find(in_range).map(|range| range.inside + (id - range.outside))
}

fn outside(ranges: &[IdRange], id: u32) -> Option<u32> {
    let in_range = |range: &&IdRange| id >= range.inside && id - range.inside < range.size;
    ranges.iter().find(in_range).map(|range| range.outside + (id - range.inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let range = |inside, outside, size| IdRange { inside, outside, size };
        let ids = Ids { uids: vec![range(0, 100_000, 1000), range(1000, 5, 1)], gids: vec![range(0, 200_000, 10)] };
        assert_eq!(ids.inside(100_033, 200_001), (33, 1));
        assert_eq!(ids.inside(5, 0), (1000, NOBODY));
        assert_eq!(ids.outside(33, 9), Ok((100_033, 200_009)));
        assert_eq!(ids.outside(1001, 0), Err(Errno::INVAL));
        assert_eq!(Ids::default().outside(7, 8), Ok((7, 8)));
        assert_eq!(Ids::default().inside(7, 8), (7, 8));
    }
}
