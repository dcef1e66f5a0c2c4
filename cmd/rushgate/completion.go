package main

import (
	"io"

	"github.com/spf13/cobra"
)

const completionSynopsis = `Usage: rushgate completion SHELL

Prints a script that has a shell complete commands, flags, and values of flags: bash, zsh, fish or powershell.

  source <(rushgate completion bash)                        in this shell; with the package bash-completion
  rushgate completion bash > /etc/bash_completion.d/rushgate
  rushgate completion zsh > "${fpath[1]}/_rushgate"         for new shells
  rushgate completion fish > ~/.config/fish/completions/rushgate.fish
  rushgate completion powershell | Out-String | Invoke-Expression`

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion() *cobra.Command {
	c := newCommand("completion", "print what has a shell complete commands and flags", newFlags(completionSynopsis), nil)
	c.ValidArgsFunction = cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp)
	c.RunE = func(c *cobra.Command, args []string) error { return printCompletion(c.Root(), args, c.OutOrStdout()) }
	return c
}

// printCompletion prints the script for one shell.
func printCompletion(root *cobra.Command, args []string, w io.Writer) error {
	if len(args) != 1 {
		return usagef("name one shell: %s", anyOf(shells))
	}
	switch args[0] {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return usagef("unknown shell %s, want %s", quote(args[0]), anyOf(shells))
}
