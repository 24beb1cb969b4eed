"""What a study is, as pure data: protocol, plan, answers, screens, recipes and errors."""
