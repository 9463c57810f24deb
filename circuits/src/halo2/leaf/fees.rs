//! The chunk's fee accounts: declared at its start, credited at its end.
//!
//! Active accounts have distinct tokens. A place without an account has the token 2^32, which no account has, so
//! no fee can go there, and shows `NO_ACCOUNT` in the header.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::access::{self, When, select};
use super::values::FeeValues;
use crate::gadgets::arithmetic::{self, Operand, boolean, equation, free};
use crate::gadgets::memory::Changes;
use crate::halo2::trace::{Trace, Var};
use crate::rollup::{MAX_FEE_ACCOUNTS, NO_ACCOUNT};

/// A fee account as the chunk's header and its slots see it.
#[derive(Clone, Copy)]
pub struct FeeVars {
    /// 1 if there is an account.
    pub active: Var,
    /// Its index, or `NO_ACCOUNT`.
    pub header: Var,
    /// Its token, or 2^32.
    pub token: Var,
}

/// Declares the fee accounts, with distinct tokens.
pub fn declare(trace: &mut Trace, values: &[FeeValues; MAX_FEE_ACCOUNTS]) -> [FeeVars; MAX_FEE_ACCOUNTS] {
    trace.label("fee accounts: active");
    let active = values.each_ref().map(|fee| boolean(trace, fee.active));
    trace.label("fee accounts: distinct tokens");
    let tokens = values.each_ref().map(FeeValues::token);
    let headers = values.each_ref().map(|fee| {
        let none = Fr::from(u64::from(NO_ACCOUNT));
        none + fee.active * (Fr::from(fee.access.index) - none)
    });
    // The cells are written here; `credit` links them to the accounts at the chunk's end.
    let tokens: [Var; MAX_FEE_ACCOUNTS] = tokens.map(|token| free(trace, token));
    let headers: [Var; MAX_FEE_ACCOUNTS] = headers.map(|header| free(trace, header));
    for i in 0..MAX_FEE_ACCOUNTS {
        for j in i + 1..MAX_FEE_ACCOUNTS {
            let both = arithmetic::multiply(trace, active[i], active[j]);
            let gap = arithmetic::linear(trace, &[(Fr::ONE, tokens[i]), (-Fr::ONE, tokens[j])], Fr::ZERO);
            let inverse = both.value * gap.value.invert().unwrap_or(Fr::ZERO);
            equation(
                trace,
                &[(-Fr::ONE, both.into())],
                Some((Fr::ONE, gap.into(), Operand::New(inverse))),
                Fr::ZERO,
            );
        }
    }
    std::array::from_fn(|i| FeeVars { active: active[i], header: headers[i], token: tokens[i] })
}

/// Credits one fee account with the sum of its fees and returns the running product after it.
pub fn credit(
    trace: &mut Trace,
    (values, when): (&FeeValues, When),
    declared: FeeVars,
    (product, sum): (Var, Var),
    (zero, no_account, no_token): (Var, Var, Var),
) -> Var {
    trace.label("fee account: found");
    let account = access::find(trace, &values.access, when, Changes::Nothing, zero);
    trace.label("fee account: token");
    let token = select(trace, declared.active, account.token, no_token);
    trace.link(token, declared.token);
    trace.label("fee account: exists");
    arithmetic::implies(trace, declared.active, account.exists);
    trace.label("fee account: balance after");
    let balance = access::balance_after(trace, &values.access, account.balance, &[(Fr::ONE, sum)], zero);
    trace.label("fee account: index in the header");
    let header = select(trace, declared.active, account.index, no_account);
    trace.link(header, declared.header);
    account.finish(trace, [balance, zero, declared.active], product)
}
