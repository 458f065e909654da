use crate::batch::Batch;
use crate::error::Result;
use crate::nft::attributes as a;
use crate::nft::{Chain, Family, Table, message_type, nfgenmsg};
use crate::socket::Socket;

const CREATE: u16 = libc::NLM_F_CREATE as u16;
const APPEND: u16 = (libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;

/// Makes the kernel's table of this name equal to `table`, in one transaction: packets meet either the old rules or
/// the new ones, and on an error the old ones stay.
pub fn replace(socket: &mut Socket, table: &Table) -> Result<()> {
    socket.execute(replacement(table))
}

/// Removes a table with all in it; one that is not there is fine.
pub fn delete(socket: &mut Socket, family: Family, name: &str) -> Result<()> {
    let batch = transaction(|batch| {
        add_table(batch, family, name);
        delete_table(batch, family, name);
    });
    socket.execute(batch)
}

fn replacement(table: &Table) -> Batch {
    transaction(|batch| {
        // Deleting needs the table to be there; creating one that is there changes nothing.
        add_table(batch, table.family, &table.name);
        delete_table(batch, table.family, &table.name);
        add_table(batch, table.family, &table.name);
        for chain in &table.chains {
            add_chain(batch, table, chain);
            for rule in &chain.rules {
                let label = format!("add rule to {} {}", table.name, chain.name);
                let fixed = nfgenmsg(table.family.number(), 0);
                let mut message = batch.message(label, message_type(libc::NFT_MSG_NEWRULE), APPEND, &fixed);
                message.string(a::RULE_TABLE, &table.name).string(a::RULE_CHAIN, &chain.name);
                rule.encode(&mut message);
            }
        }
    })
}

/// `NFNL_MSG_BATCH_BEGIN`, the messages, `NFNL_MSG_BATCH_END`. All answers are given after the commit; the
/// acknowledgement asked for is that of the last message inside, as only newer kernels acknowledge the end itself.
fn transaction(fill: impl FnOnce(&mut Batch)) -> Batch {
    let fixed = nfgenmsg(libc::AF_UNSPEC as u8, libc::NFNL_SUBSYS_NFTABLES as u16);
    let mut batch = Batch::new();
    batch.message("begin nftables transaction", libc::NFNL_MSG_BATCH_BEGIN as u16, 0, &fixed);
    fill(&mut batch);
    let last = batch.len() - 1;
    batch.message("end nftables transaction", libc::NFNL_MSG_BATCH_END as u16, 0, &fixed);
    batch.confirm_by(last);
    batch
}

fn add_table(batch: &mut Batch, family: Family, name: &str) {
    table_message(batch, "add", libc::NFT_MSG_NEWTABLE, CREATE, family, name);
}

fn delete_table(batch: &mut Batch, family: Family, name: &str) {
    table_message(batch, "delete", libc::NFT_MSG_DELTABLE, 0, family, name);
}

fn table_message(batch: &mut Batch, verb: &str, number: i32, flags: u16, family: Family, name: &str) {
    batch
        .message(format!("{verb} nftables table {name}"), message_type(number), flags, &nfgenmsg(family.number(), 0))
        .string(a::TABLE_NAME, name);
}

fn add_chain(batch: &mut Batch, table: &Table, chain: &Chain) {
    let label = format!("add chain {} {}", table.name, chain.name);
    batch
        .message(label, message_type(libc::NFT_MSG_NEWCHAIN), CREATE, &nfgenmsg(table.family.number(), 0))
        .string(a::CHAIN_TABLE, &table.name)
        .string(a::CHAIN_NAME, &chain.name)
        .nested(a::CHAIN_HOOK, &[], |m| {
            m.be32(a::HOOK_NUMBER, chain.hook.number()).be32(a::HOOK_PRIORITY, chain.priority as u32);
        })
        .be32(a::CHAIN_POLICY, chain.policy.number())
        .string(a::CHAIN_TYPE, chain.kind.name());
}
