use crate::batch::Batch;
use crate::error::Result;
use crate::nft::attributes as a;
use crate::nft::{Family, Policy, message_type, nfgenmsg};
use crate::parse::{self, Message};
use crate::socket::Socket;

const DUMP: u16 = libc::NLM_F_DUMP as u16;
/// Bytes of `struct nfgenmsg`.
const FIXED: usize = 4;

/// A chain as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// `NFPROTO_*` of its table.
    pub family: u8,
    pub table: String,
    pub name: String,
    /// `NF_INET_*` number of the hook and the priority; none for a chain that is only jumped to.
    pub hook: Option<(u32, i32)>,
    pub policy: Option<Policy>,
}

/// Names of all tables of `family`.
pub fn tables(socket: &mut Socket, family: Family) -> Result<Vec<String>> {
    let request = |batch: &mut Batch| {
        let fixed = nfgenmsg(family.number(), 0);
        batch.message("list nftables tables", message_type(libc::NFT_MSG_GETTABLE), DUMP, &fixed);
    };
    socket.dump(request, |message| {
        let attributes = answer(&message, libc::NFT_MSG_NEWTABLE)?;
        parse::attribute(attributes, a::TABLE_NAME).map(parse::string)
    })
}

/// All chains of all tables and families, other programs' included.
pub fn chains(socket: &mut Socket) -> Result<Vec<ChainInfo>> {
    let request = |batch: &mut Batch| {
        let fixed = nfgenmsg(libc::NFPROTO_UNSPEC as u8, 0);
        batch.message("list nftables chains", message_type(libc::NFT_MSG_GETCHAIN), DUMP, &fixed);
    };
    socket.dump(request, chain)
}

/// How many rules the table has, all chains together.
pub fn rule_count(socket: &mut Socket, family: Family, table: &str) -> Result<usize> {
    let request = |batch: &mut Batch| {
        let fixed = nfgenmsg(family.number(), 0);
        batch
            .message("list nftables rules", message_type(libc::NFT_MSG_GETRULE), DUMP, &fixed)
            .string(a::RULE_TABLE, table);
    };
    let rules = socket.dump(request, |message| {
        let name = parse::attribute(answer(&message, libc::NFT_MSG_NEWRULE)?, a::RULE_TABLE).map(parse::string)?;
        (name == table).then_some(())
    })?;
    Ok(rules.len())
}

/// The attributes of an answer that is of type `number`.
fn answer<'a>(message: &Message<'a>, number: i32) -> Option<&'a [u8]> {
    if message.kind == message_type(number) { message.payload.get(FIXED..) } else { None }
}

fn chain(message: Message<'_>) -> Option<ChainInfo> {
    let attributes = answer(&message, libc::NFT_MSG_NEWCHAIN)?;
    let hook = parse::attribute(attributes, a::CHAIN_HOOK).and_then(|hook| {
        let number = parse::attribute(hook, a::HOOK_NUMBER).and_then(parse::be32)?;
        let priority = parse::attribute(hook, a::HOOK_PRIORITY).and_then(parse::be32)?;
        Some((number, priority as i32))
    });
    let policy = parse::attribute(attributes, a::CHAIN_POLICY).and_then(parse::be32);
    Some(ChainInfo {
        family: *message.payload.first()?,
        table: parse::attribute(attributes, a::CHAIN_TABLE).map(parse::string)?,
        name: parse::attribute(attributes, a::CHAIN_NAME).map(parse::string)?,
        hook,
        policy: policy.map(|p| if p == libc::NF_DROP as u32 { Policy::Drop } else { Policy::Accept }),
    })
}
