//! Commands of the program.

mod access;
mod api_tokens;
mod backup;
mod bench;
mod chart;
mod claim;
mod client;
mod contracts;
mod demo;
mod deposit;
mod doctor;
mod escape;
mod exit;
mod failure;
mod jobs;
mod keys;
mod output;
mod preflight;
mod progress;
mod rebuild;
mod serve;
mod settings;
mod takeover;
mod tokens;
mod verify;
mod wallet;
mod worker;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Failure, Outcome};

/// Zero-knowledge rollup prover: takes batches of signed transfers, proves them, and settles one proof on L1.
///
/// Exit codes: 0 done, 1 the work failed, 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "tenon", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole pipeline once: keys, contracts, service, transfers, proofs, settlement.
    Demo(demo::Demo),
    /// Runs the prover service.
    Serve(serve::Serve),
    /// Proves for a service on another machine.
    Worker(worker::Worker),
    /// Submits a batch of signed transactions.
    Submit(jobs::Submit),
    /// Shows jobs, or one of them.
    Status(jobs::Status),
    /// Follows a job until it ends.
    Watch(jobs::Watch),
    /// Takes a batch back out of the log.
    Cancel(jobs::Cancel),
    /// Fetches the proof of a job.
    Proof(jobs::Proof),
    /// Checks a proof in a file with the keys of this machine.
    Verify(verify::Verify),
    /// Makes or shows proving keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Exports or deploys the contracts.
    #[command(subcommand)]
    Contracts(contracts::Contracts),
    /// Rebuilds every account from L1 alone.
    Rebuild(rebuild::Rebuild),
    /// Makes wallet keys, signs transactions.
    #[command(subcommand)]
    Wallet(wallet::Wallet),
    /// Shows the tokens that can be deposited, or registers one.
    Tokens(tokens::Tokens),
    /// Deposits ether or a token from L1.
    Deposit(deposit::DepositCommand),
    /// Requests an account's exit on L1, which the operator can't refuse.
    Exit(exit::Exit),
    /// Claims an owner's withdrawals on L1.
    Claim(claim::ClaimCommand),
    /// Leaves a frozen contract with what the last final state holds.
    Escape(escape::Escape),
    /// Settles overdue operations in the operator's place.
    Takeover(Box<takeover::Takeover>),
    /// Makes, lists and revokes the tokens that callers of the service need.
    #[command(subcommand)]
    ApiTokens(api_tokens::ApiTokens),
    /// Copies the log and the archive of a data directory.
    Backup(backup::BackupCommand),
    /// Checks everything that the service needs on this machine.
    Doctor(doctor::Doctor),
    /// Measures the whole pipeline by batch size.
    Bench(bench::Bench),
}

/// Runs the command of the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::work(error).report(),
    };
    let outcome = runtime.block_on(execute(cli.command));
    // Proofs in work can't be interrupted; what they leave is safe to lose.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn execute(command: Command) -> Outcome {
    match command {
        Command::Demo(command) => command.run().await,
        Command::Serve(command) => command.run().await,
        Command::Worker(command) => command.run().await,
        Command::Submit(command) => command.run().await,
        Command::Status(command) => command.run().await,
        Command::Watch(command) => command.run().await,
        Command::Cancel(command) => command.run().await,
        Command::Proof(command) => command.run().await,
        Command::Verify(command) => command.run().await,
        Command::Keys(command) => command.run().await,
        Command::Contracts(command) => command.run().await,
        Command::Rebuild(command) => command.run().await,
        Command::Wallet(command) => command.run().await,
        Command::Tokens(command) => command.run().await,
        Command::Deposit(command) => command.run().await,
        Command::Exit(command) => command.run().await,
        Command::Claim(command) => command.run().await,
        Command::Escape(command) => command.run().await,
        Command::Takeover(command) => command.run().await,
        Command::ApiTokens(command) => command.run(),
        Command::Backup(command) => command.run().await,
        Command::Doctor(command) => command.run().await,
        Command::Bench(command) => command.run().await,
    }
}
