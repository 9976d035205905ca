# SPDX-License-Identifier: Apache-2.0
# Threads of Perl: each is a copy of the whole interpreter; a queue of jobs, shared variables under locks, conditions.
use strict;
use warnings;
use threads;
use threads::shared;
use Thread::Queue;
use Digest::SHA qw(sha256_hex);

my $scale = shift // 1;
my $kThreads = 4;
my %count : shared;
my $turn : shared = 0;
my $jobs = Thread::Queue->new();
my $results = Thread::Queue->new();

sub work {
    my $number = shift;
    while (defined(my $job = $jobs->dequeue())) {
        my $text = join(' ', map { "word" . ($_ * $job % 991) } 1 .. 1500);
        my %seen;
        $seen{$_}++ for split / /, $text;
        my $digest = $text;
        $digest = sha256_hex($digest . $text) for 1 .. 20;
        (my $changed = $text) =~ s/word(\d+)/<$1>/g;
        $results->enqueue("$job $digest " . scalar(keys %seen) . " " . length($changed));
        lock(%count);
        $count{ $job % 7 }++;
    }
    my $died = 0;
    for (1 .. 100) {
        eval { die "number $_\n" };
        $died += length $@;
    }
    for (1 .. 20) {
        lock($turn);
        cond_wait($turn) until $turn % $kThreads == $number;
        $turn++;
        cond_broadcast($turn);
    }
    return $died;
}

my @threads = map { threads->create(\&work, $_) } 0 .. $kThreads - 1;
$jobs->enqueue($_) for 1 .. 120 * $scale;
$jobs->end();
my @died = map { $_->join() } @threads;
$results->end();
my @lines;
while (defined(my $line = $results->dequeue_nb())) { push @lines, $line }
print "$_\n" for sort @lines;
print "died @died turn $turn\n";
print "count $_ $count{$_}\n" for sort keys %count;
