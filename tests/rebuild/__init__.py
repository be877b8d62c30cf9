"""Does a consumer that knows the contract, and nothing else, rebuild every account exactly?"""
